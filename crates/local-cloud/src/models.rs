//! The services' models, each read when it is first needed.

use std::sync::OnceLock;

use aws_models::{Model, Service as Modelled};

use crate::call::Service;

#[derive(Debug, Default)]
pub(crate) struct Models {
    dynamodb: OnceLock<Option<Model>>,
    streams: OnceLock<Option<Model>>,
    events: OnceLock<Option<Model>>,
    kms: OnceLock<Option<Model>>,
    pipes: OnceLock<Option<Model>>,
    s3: OnceLock<Option<Model>>,
    ses: OnceLock<Option<Model>>,
    ses_v2: OnceLock<Option<Model>>,
    sns: OnceLock<Option<Model>>,
    sqs: OnceLock<Option<Model>>,
    sts: OnceLock<Option<Model>>,
}

impl Models {
    /// Returns the model of a service, if it is one of this cloud's.
    pub(crate) fn of(&self, service: Service) -> Option<&Model> {
        let (slot, modelled) = match service {
            Service::DynamoDb => (&self.dynamodb, Modelled::DynamoDb),
            Service::DynamoDbStreams => (&self.streams, Modelled::DynamoDbStreams),
            Service::Events => (&self.events, Modelled::Events),
            Service::Kms => (&self.kms, Modelled::Kms),
            Service::Pipes => (&self.pipes, Modelled::Pipes),
            Service::S3 => (&self.s3, Modelled::S3),
            Service::Ses => (&self.ses, Modelled::Ses),
            Service::SesV2 => (&self.ses_v2, Modelled::SesV2),
            Service::Sns => (&self.sns, Modelled::Sns),
            Service::Sqs => (&self.sqs, Modelled::Sqs),
            Service::Sts => (&self.sts, Modelled::Sts),
            Service::Unknown => return None,
        };
        slot.get_or_init(|| {
            Model::of(modelled)
                .inspect_err(|error| tracing::error!(%error, ?modelled, "a service model cannot be read"))
                .ok()
        })
        .as_ref()
    }
}
