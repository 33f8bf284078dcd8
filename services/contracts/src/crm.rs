//! What the CRM sends.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::values::ChannelList;
use crate::{CRM, Channels, CustomerNumber, EmailAddress, Locale, Name, event};

/// A customer joined the loyalty programme.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CustomerEnrolled {
    /// The customer it concerns.
    pub customer_number: CustomerNumber,
    /// The customer's name.
    pub name: Name,
    /// The address for e-mail.
    pub email: EmailAddress,
    /// The preferred notification channels.
    #[schemars(with = "ChannelList")]
    pub channels: Channels,
    /// The preferred language; `en` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Locale>,
}
event!(CustomerEnrolled, CRM);

/// A customer's name changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CustomerRenamed {
    /// The customer it concerns.
    pub customer_number: CustomerNumber,
    /// The new name.
    pub name: Name,
}
event!(CustomerRenamed, CRM);

/// A customer's contact preferences changed. An absent field stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("minProperties" = 2))]
pub struct ContactPreferencesChanged {
    /// The customer it concerns.
    pub customer_number: CustomerNumber,
    /// The new address for e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailAddress>,
    /// The preferred notification channels from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ChannelList")]
    pub channels: Option<Channels>,
    /// The preferred language from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Locale>,
}
event!(ContactPreferencesChanged, CRM);

/// A customer asked to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CustomerErased {
    /// The customer it concerns.
    pub customer_number: CustomerNumber,
}
event!(CustomerErased, CRM);
