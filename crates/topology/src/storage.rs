//! Buckets of S3 and keys of KMS: how a service declares them, and what becomes of that.

use std::collections::BTreeSet;

/// The longest name of a bucket
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>).
pub(crate) const LONGEST_BUCKET_NAME: usize = 63;
/// The environment that runs on a laptop.
const LOCAL: &str = "local";
/// The characters that account and region, the longest one, add to a bucket's name.
pub(crate) const PLACE_CHARACTERS: usize = "-123456789012-ap-southeast-3".len();

/// A bucket of S3. Nobody but its owner reaches it: public access is blocked, objects are encrypted, and connections
/// without TLS are refused.
///
/// ```
/// use topology::{Bucket, BucketAccess, Service, StorageClass};
///
/// let service = Service::new("reports").owns_bucket(
///     Bucket::new("reports")
///         .access([BucketAccess::Put, BucketAccess::Get])
///         .moves_after_days(90, StorageClass::GlacierInstantRetrieval)
///         .expires_after_days(400),
/// );
/// ```
#[derive(Clone, Debug)]
pub struct Bucket {
    pub(crate) name: &'static str,
    pub(crate) access: BTreeSet<BucketAccess>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) expires_locally_after_days: Option<u32>,
    pub(crate) versioned: bool,
    pub(crate) lockable: bool,
    pub(crate) personal_data: bool,
}

impl Bucket {
    /// Creates a bucket whose objects stay until they are deleted.
    ///
    /// Names of buckets are unique in the world, so account and region become a part of the physical one. That leaves a
    /// short name: 13 characters after `foostore`.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            access: BTreeSet::new(),
            lifecycle: Lifecycle::default(),
            expires_locally_after_days: None,
            versioned: false,
            lockable: false,
            personal_data: false,
        }
    }

    /// What the service does with the objects; its role in production is allowed this and nothing else.
    #[must_use]
    pub fn access(mut self, access: impl IntoIterator<Item = BucketAccess>) -> Self {
        self.access.extend(access);
        self
    }

    /// Deletes objects this many days after they were written.
    #[must_use]
    pub fn expires_after_days(mut self, days: u32) -> Self {
        self.lifecycle.expires_after_days = Some(days);
        self
    }

    /// Deletes objects this many days after they were written in the environment `local` alone, whose cloud has the room of
    /// a laptop. Where room becomes scarce, that cloud deletes them earlier.
    #[must_use]
    pub fn expires_locally_after_days(mut self, days: u32) -> Self {
        self.expires_locally_after_days = Some(days);
        self
    }

    /// Returns what becomes of the objects in an environment.
    pub(crate) fn lifecycle_in(&self, environment: &str) -> Lifecycle {
        let locally = self.expires_locally_after_days.filter(|_| environment == LOCAL);
        Lifecycle { expires_after_days: locally.or(self.lifecycle.expires_after_days), ..self.lifecycle }
    }

    /// Moves objects to a cheaper class this many days after they were written.
    #[must_use]
    pub fn moves_after_days(mut self, days: u32, class: StorageClass) -> Self {
        self.lifecycle.transition = Some((days, class));
        self
    }

    /// Keeps what was overwritten or deleted for another [`Lifecycle::NONCURRENT_DAYS`] days.
    #[must_use]
    pub fn versioned(mut self) -> Self {
        self.versioned = true;
        self
    }

    /// Lets a deployment forbid for a while that objects are deleted or overwritten (Object Lock), which needs versions.
    #[must_use]
    pub fn lockable(mut self) -> Self {
        self.lockable = true;
        self.versioned()
    }

    /// Declares that it holds names or addresses, which must be removed, or become unreadable, when a person is erased.
    #[must_use]
    pub fn personal_data(mut self) -> Self {
        self.personal_data = true;
        self
    }
}

/// One thing a service does with the objects of its bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum BucketAccess {
    /// Reads an object, or what is known about it. For an object that does not exist S3 answers with 403 instead of 404
    /// unless the service may [`List`](Self::List)
    /// ([permissions of `GetObject`](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html)).
    Get,
    /// Writes an object. With `If-Match`, S3 demands [`Get`](Self::Get) as well
    /// ([conditional writes](https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html)).
    Put,
    /// Deletes objects.
    Delete,
    /// Lists the keys.
    List,
}

impl BucketAccess {
    /// The action that IAM must grant.
    ///
    /// ```
    /// assert_eq!(topology::BucketAccess::List.action(), "s3:ListBucket");
    /// ```
    #[must_use]
    pub const fn action(self) -> &'static str {
        match self {
            Self::Get => "s3:GetObject",
            Self::Put => "s3:PutObject",
            Self::Delete => "s3:DeleteObject",
            Self::List => "s3:ListBucket",
        }
    }

    /// Returns whether the action is on the objects, rather than on the bucket.
    #[must_use]
    pub const fn is_on_objects(self) -> bool {
        !matches!(self, Self::List)
    }
}

/// A class of storage whose objects can be read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageClass {
    /// Costs half, and reading costs something. At the earliest after 30 days.
    InfrequentAccess,
    /// Costs a fifth, reading costs more, and an object is charged for 90 days at least.
    GlacierInstantRetrieval,
}

impl StorageClass {
    /// Returns the name in S3's API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InfrequentAccess => "STANDARD_IA",
            Self::GlacierInstantRetrieval => "GLACIER_IR",
        }
    }
}

/// What becomes of objects in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle {
    /// Days after which objects are deleted.
    pub expires_after_days: Option<u32>,
    /// Days after which objects move to another class.
    pub transition: Option<(u32, StorageClass)>,
}

impl Lifecycle {
    /// The id of the one rule that a bucket has.
    pub const RULE: &str = "objects";
    /// Days after which the parts of an upload that was never completed are deleted.
    pub const INCOMPLETE_UPLOAD_DAYS: u32 = 7;
    /// Days after which a version that is no longer the current one is deleted.
    pub const NONCURRENT_DAYS: u32 = 30;
}

/// A symmetric key of KMS with which a service encrypts keys for data, and its own data.
///
/// The service generates data keys and decrypts them, both with the entry [`Key::SERVICE`] in the encryption context;
/// its role in production permits nothing else.
///
/// ```
/// use topology::{Key, Service};
///
/// let service = Service::new("reports").encrypts_with(Key::new("reports"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub(crate) name: &'static str,
}

impl Key {
    /// The entry of the encryption context that every call has, with the service's name.
    pub const SERVICE: &str = "service";

    /// Creates a key.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self { name }
    }
}

/// A bucket of S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketResource {
    /// Physical name, without account and region.
    pub name: String,
    /// What its owner does with the objects.
    pub access: Vec<BucketAccess>,
    /// What becomes of objects in time.
    pub lifecycle: Lifecycle,
    /// Whether overwritten and deleted objects are kept as versions.
    pub versioned: bool,
    /// Whether a deployment may lock objects.
    pub lockable: bool,
}

impl BucketResource {
    /// Returns the bucket's name in an account and a region.
    ///
    /// ```
    /// # let bucket = topology::BucketResource {
    /// #     name: "foostore-dev-reports".to_owned(), access: Vec::new(), lifecycle: topology::Lifecycle::default(),
    /// #     versioned: false, lockable: false,
    /// # };
    /// assert_eq!(bucket.name_in("123456789012", "eu-central-1"), "foostore-dev-reports-123456789012-eu-central-1");
    /// ```
    #[must_use]
    pub fn name_in(&self, account_id: &str, region: &str) -> String {
        bucket_name(&self.name, account_id, region)
    }
}

/// Returns the name in an account and a region of the bucket with this physical name.
#[must_use]
pub fn bucket_name(physical: &str, account_id: &str, region: &str) -> String {
    format!("{physical}-{account_id}-{region}")
}

/// A key of KMS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyResource {
    /// Physical name.
    pub name: String,
}

impl KeyResource {
    /// Returns the alias by which the key is found.
    #[must_use]
    pub fn alias(&self) -> String {
        format!("alias/{}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_expire_on_a_laptop_alone() {
        let bucket = Bucket::new("event-archive").expires_locally_after_days(30);
        assert_eq!(bucket.lifecycle_in("local").expires_after_days, Some(30));
        assert_eq!(bucket.lifecycle_in("${Environment}").expires_after_days, None);
        let both = bucket.expires_after_days(400);
        assert_eq!(both.lifecycle_in("local").expires_after_days, Some(30));
        assert_eq!(both.lifecycle_in("prod").expires_after_days, Some(400));
    }
}
