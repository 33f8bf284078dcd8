//! Where the local cloud is kinder than AWS, on purpose. docs/local-cloud.md lists the rules; a request that passes
//! because of one is logged where it could go unnoticed.

/// A rule of AWS that the local cloud does not apply, or applies in a way that helps developers.
#[derive(Debug)]
pub(crate) struct Kinder {
    pub(crate) service: &'static str,
    pub(crate) on_aws: &'static str,
    pub(crate) here: &'static str,
    /// The page of AWS that states the rule.
    pub(crate) source: &'static str,
}

impl Kinder {
    /// Logs that a request was treated more kindly than AWS would. `subject` names the resource.
    pub(crate) fn note(&self, subject: &str) {
        let Self { service, on_aws, here, source } = self;
        tracing::warn!(service, subject, on_aws, here, source, "kinder than AWS");
    }
}

pub(crate) const UNKNOWN_BUS: Kinder = Kinder {
    service: "events",
    on_aws: "PutEvents accepts an entry for a bus that does not exist, and drops it",
    here: "the entry fails with ResourceNotFoundException, so that a misspelt name is noticed",
    source: "https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html",
};

/// Rules whose neglect cannot be attributed to a request.
#[cfg(test)]
pub(crate) const SILENT: &[Kinder] = &[
    Kinder {
        service: "all",
        on_aws: "the signature of a request is verified",
        here: "the access key only names the caller, for faults and `/_local/calls`",
        source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html",
    },
    Kinder {
        service: "all",
        on_aws: "IAM and resource policies decide whether a caller may do something",
        here: "everything is permitted; `/_local/calls` lists what roles would have had to permit",
        source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html",
    },
    Kinder {
        service: "all",
        on_aws: "requests beyond a quota are throttled",
        here: "there are no quotas on rates; a fault throttles on demand (docs/faults.md)",
        source: "https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html",
    },
    Kinder {
        service: "all",
        on_aws: "KMS keys encrypt queues, topics, tables, buses and buckets",
        here: "key ids are stored and returned; nothing is encrypted",
        source: "https://docs.aws.amazon.com/kms/latest/developerguide/service-integration.html",
    },
    Kinder {
        service: "dynamodb",
        on_aws: "reads are eventually consistent by default, and indexes follow the table",
        here: "every read sees every write",
        source: "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html",
    },
    Kinder {
        service: "sqs",
        on_aws: "a standard queue delivers at least once and in any order",
        here: "messages come in order and once, unless a fault duplicates or reorders them",
        source: "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html",
    },
    Kinder {
        service: "s3",
        on_aws: "an object has up to 5 GB",
        here: "up to 16 MiB, together 4 GiB, and as many as the settings give memory for: about a hundred a MiB",
        source: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html",
    },
    Kinder {
        service: "s3",
        on_aws: "a bucket with versioning keeps every version, and Object Lock keeps versions from being deleted",
        here: "both settings are checked and returned; the latest version is kept, and requests that name versions are refused",
        source: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html",
    },
    Kinder {
        service: "s3",
        on_aws: "lifecycle rules move objects to other storage classes and delete them",
        here: "the rules are checked and returned; objects of a bucket with a rule that deletes all of them expire, the oldest first, when there is no room for another one",
        source: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html",
    },
    Kinder {
        service: "kms",
        on_aws: "keys outlive everything, and are rotated",
        here: "they end with the process, as the tables and buckets do; a rotation changes nothing that clients see",
        source: "https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html",
    },
    Kinder {
        service: "xray",
        on_aws: "encryption, resource policies, indexing rules, insights and the destination of segments have an effect",
        here: "they are checked, kept while the process runs, and returned",
        source: "https://docs.aws.amazon.com/xray/latest/api/API_Operations.html",
    },
    Kinder {
        service: "sns",
        on_aws: "an envelope is signed, and its certificate can be fetched",
        here: "the signature is a placeholder",
        source: "https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html",
    },
    Kinder {
        service: "ses",
        on_aws: "in the sandbox, recipients must be verified too",
        here: "only senders must be",
        source: "https://docs.aws.amazon.com/ses/latest/dg/request-production-access.html",
    },
];
