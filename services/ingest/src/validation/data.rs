//! What the data of each event type must hold.

use contracts::{
    Channel, Channels, ContactPreferencesChanged, CustomerEnrolled, CustomerErased, CustomerNumber,
    CustomerRenamed, Name,
};

use super::fields::Fields;

/// An event from the fields of its `data`; `None` when one of them is wrong, or the customer number is.
pub(crate) type Read<E> = fn(&mut Fields<'_, '_>, Option<CustomerNumber>) -> Option<E>;

pub(crate) fn enrolled(
    fields: &mut Fields<'_, '_>,
    customer_number: Option<CustomerNumber>,
) -> Option<CustomerEnrolled> {
    let name = name(fields);
    let email = fields.text("email");
    let channels = fields.required(
        "channels",
        "must be a list of \"email\", \"app\" and \"wallet\"; an empty one means silence",
    );
    let channels = channels.and_then(|value| fields.texts::<Channel, Channels>("channels", value));
    let locale = fields.optional_text("locale");
    Some(CustomerEnrolled {
        customer_number: customer_number?,
        name: name?,
        email: email?,
        channels: channels?,
        locale,
    })
}

pub(crate) fn renamed(
    fields: &mut Fields<'_, '_>,
    customer_number: Option<CustomerNumber>,
) -> Option<CustomerRenamed> {
    let name = name(fields);
    Some(CustomerRenamed { customer_number: customer_number?, name: name? })
}

pub(crate) fn preferences_changed(
    fields: &mut Fields<'_, '_>,
    customer_number: Option<CustomerNumber>,
) -> Option<ContactPreferencesChanged> {
    let email = fields.optional_text("email");
    let channels = fields.optional("channels");
    let channels = channels.and_then(|value| fields.texts::<Channel, Channels>("channels", value));
    let locale = fields.optional_text("locale");
    fields.at_least_one();
    Some(ContactPreferencesChanged { customer_number: customer_number?, email, channels, locale })
}

pub(crate) fn erased(
    _: &mut Fields<'_, '_>,
    customer_number: Option<CustomerNumber>,
) -> Option<CustomerErased> {
    Some(CustomerErased { customer_number: customer_number? })
}

fn name(fields: &mut Fields<'_, '_>) -> Option<Name> {
    fields.object("name", "must be an object with given and family", |name| {
        let (given, family) = (name.text("given"), name.text("family"));
        Some(Name { given: given?, family: family? })
    })
}
