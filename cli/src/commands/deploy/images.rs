//! The images that services need, and those that are missing.

use aws_config::SdkConfig;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::ImageIdentifier;

use super::parameters::Choices;
use crate::aws_failure::failed;
use crate::place::Place;

/// An image in a repository of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    /// The service, or `collector`.
    pub(crate) name: String,
    repository: String,
    tag: String,
    /// The architecture as docker names it.
    platform: &'static str,
}

impl Image {
    /// Returns the images that a service's stack names with these parameters: its own, and a copy of the collector's.
    pub(crate) fn of(prefix: &str, service: &str, choices: &Choices) -> Vec<Self> {
        let platform = match choices.value("CpuArchitecture") {
            Some("X86_64") => "linux/amd64",
            _ => "linux/arm64",
        };
        let own = choices.value("ImageTag").map(|tag| Self {
            name: service.to_owned(),
            repository: format!("{prefix}/{service}"),
            tag: tag.to_owned(),
            platform,
        });
        let collector = choices.value("CollectorImage").and_then(|image| {
            let (_, path) = image.split_once(".amazonaws.com/")?;
            let (repository, tag) = path.split_once(':')?;
            (repository == format!("{prefix}/collector")).then(|| Self {
                name: "collector".to_owned(),
                repository: repository.to_owned(),
                tag: tag.to_owned(),
                platform,
            })
        });
        own.into_iter().chain(collector).collect()
    }

    /// Looks the image up. A repository that does not exist has no images.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses the call.
    pub(crate) async fn exists(&self, config: &SdkConfig) -> anyhow::Result<bool> {
        let id = ImageIdentifier::builder().image_tag(&self.tag).build();
        let call = Client::new(config).describe_images().repository_name(&self.repository).image_ids(id);
        match call.send().await {
            // An emulator may return none rather than refuse.
            Ok(answer) => Ok(!answer.image_details().is_empty()),
            Err(error) => match error.as_service_error() {
                Some(refused)
                    if refused.is_image_not_found_exception()
                        || refused.is_repository_not_found_exception() =>
                {
                    Ok(false)
                }
                _ => Err(failed(&format!("DescribeImages of {}", self.repository), error)),
            },
        }
    }

    /// Returns repository and tag.
    pub(crate) fn text(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }
}

/// Returns the commands that push the images.
pub(crate) fn push_commands(images: &[Image], place: &Place) -> String {
    let registry = registry(place);
    let mut lines = vec![format!(
        "aws ecr get-login-password {} | docker login --username AWS --password-stdin {registry}",
        place.cli_options()
    )];
    lines.extend(images.iter().map(|image| {
        let target = format!("{registry}/{}", image.text());
        if image.name == "collector" {
            format!(
                "docker buildx imagetools create --tag {target} \
                 public.ecr.aws/aws-observability/aws-otel-collector:{}",
                image.tag
            )
        } else {
            format!(
                "docker buildx build --platform {} --build-arg SERVICE={} --build-arg REVISION=\"$(git rev-parse HEAD)\" \
                 --tag {target} --push .",
                image.platform, image.name
            )
        }
    }));
    lines.join("\n")
}

/// Returns the account's registry (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html>).
fn registry(place: &Place) -> String {
    let suffix = if place.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("{}.dkr.ecr.{}.{suffix}", place.account, place.region)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::deploy::parameters::Choice;

    #[test]
    fn a_stack_names_its_service_and_perhaps_a_copy_of_the_collector() {
        let mut choices = Choices::default();
        let mut set = |name: &str, value: &str| {
            choices.chosen.insert(name.to_owned(), Choice::Given(value.to_owned()));
            Image::of("foostore-prod", "email", &choices)
        };
        assert_eq!(set("CollectorImage", "").len(), 0);
        let images = set("ImageTag", "a1");
        assert_eq!(images.iter().map(Image::text).collect::<Vec<_>>(), ["foostore-prod/email:a1"]);
        assert_eq!(images[0].platform, "linux/arm64");
        assert_eq!(set("CpuArchitecture", "X86_64")[0].platform, "linux/amd64");
        let copy = "1.dkr.ecr.eu-central-1.amazonaws.com/foostore-prod/collector:v1";
        assert_eq!(set("CollectorImage", copy)[1].text(), "foostore-prod/collector:v1");
        // An image elsewhere is not ours to look up.
        assert_eq!(set("CollectorImage", "registry.example/collector:v1").len(), 1);
    }
}
