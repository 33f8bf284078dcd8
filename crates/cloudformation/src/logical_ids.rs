//! Logical ids that several parts of a service's stack refer to.

/// The ECS service.
pub(crate) const SERVICE: &str = "Service";
/// The security group of the service's tasks.
pub(crate) const SECURITY_GROUP: &str = "SecurityGroup";
