//! Histograms: their buckets, added up and turned into percentiles.

mod bucket;
mod distribution;
mod explicit;
mod exponential;

use self::bucket::Bucket;
pub(crate) use self::distribution::{Buckets, Histogram};
pub(crate) use self::explicit::Explicit;
pub(crate) use self::exponential::{Exponential, Range};
