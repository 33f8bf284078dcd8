//! `foostore pass`: writes a customer's wallet pass into a file.

use std::path::PathBuf;

use anyhow::Context as _;
use aws_clients::{AwsError, service};
use contracts::CustomerNumber;
use service_runtime::Environment;
use wallet::domain::serial::Serial;

use crate::bucket_names::BucketNames;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::layer;
use crate::stdio::print;

/// Write a customer's wallet pass into a file, as phones get it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore pass 100000000001
  foostore pass --aws --environment prod 123456789012 --output ada.pkpass
  unzip -p 100000000001.pkpass pass.json | jq .storeCard

A phone adds only a pass that is signed with a certificate from Apple, which the local one is not.")]
pub(crate) struct PassArgs {
    /// The number of the customer
    #[arg(value_name = "CUSTOMER")]
    customer: CustomerNumber,
    /// The file to write [default: CUSTOMER.pkpass]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The environment
    #[arg(long, env = "ENVIRONMENT", hide_env_values = true, value_name = "NAME", default_value = "local")]
    environment: String,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Runs the command.
///
/// # Errors
/// When there is no pass, S3 cannot be reached, or the file cannot be written.
pub(crate) async fn run(args: PassArgs, environment: &Environment) -> anyhow::Result<()> {
    let config = args.endpoint.config(environment).await?;
    let resources = layer::resources(contracts::APPLICATION, &args.environment)?;
    let bucket = BucketNames::of(&config).await?.name(&resources.physical_name(wallet::BUCKET));
    let request = aws_clients::s3(&config).get_object().bucket(bucket).key(Serial::of(&args.customer).key());
    let object = match request.send().await {
        Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => {
            return Err(Failure::refused(format!("customer {} has no pass", args.customer)).into());
        }
        got => got.map_err(|error| AwsError::of(service::S3, "GetObject", error))?,
    };
    let bytes = object.body.collect().await.context("the pass cannot be read to its end")?.into_bytes();
    let file = args.output.unwrap_or_else(|| format!("{}.pkpass", args.customer).into());
    std::fs::write(&file, &bytes).with_context(|| format!("{} cannot be written", file.display()))?;
    print(&format!("{}: {} bytes", file.display(), bytes.len()))?;
    Ok(())
}
