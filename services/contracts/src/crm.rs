//! What the CRM sends.

use serde::{Deserialize, Serialize};

use crate::{CRM, Channels, CustomerNumber, EmailAddress, Locale, Name, event};

/// A customer joined the loyalty programme.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerEnrolled {
    /// Who.
    pub customer_number: CustomerNumber,
    /// What they are called.
    pub name: Name,
    /// Where mail goes.
    pub email: EmailAddress,
    /// How they want to be told.
    pub channels: Channels,
    /// The language they want to be told in; `en` if the CRM does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Locale>,
}
event!(CustomerEnrolled, CRM);

/// A customer's name changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerRenamed {
    /// Who.
    pub customer_number: CustomerNumber,
    /// What they are called now.
    pub name: Name,
}
event!(CustomerRenamed, CRM);

/// How a customer wants to be told changed. An absent field stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactPreferencesChanged {
    /// Who.
    pub customer_number: CustomerNumber,
    /// Where mail goes now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailAddress>,
    /// How they want to be told now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Channels>,
    /// The language they want to be told in now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Locale>,
}
event!(ContactPreferencesChanged, CRM);

/// A customer asked to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerErased {
    /// Who.
    pub customer_number: CustomerNumber,
}
event!(CustomerErased, CRM);
