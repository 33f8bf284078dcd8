//! What the programs that are measured have in common: how they report, and what they measure of themselves.
//!
//! ```
//! use benchmarks::Progress;
//! use service_runtime::Environment;
//!
//! let progress = Progress::read(&Environment::from_pairs([("WARM_UP", "2")]));
//! progress.add(1);
//! progress.add(1); // prints "warm"
//! ```

mod calls;
mod latencies;
mod message;
mod progress;

pub use calls::{Calls, Made};
pub use latencies::Latencies;
pub use message::{body, published, renamed, trace_header};
pub use progress::{DONE, Progress, WARM, report};
