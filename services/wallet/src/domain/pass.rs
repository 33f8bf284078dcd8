//! A card as the files of a pass
//! ([`Pass`](https://developer.apple.com/documentation/walletpasses/pass)).

use contracts::DiscountValue;
use pkpass::{Package, PassError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::serial::Serial;
use super::{Card, DiscountId, Offer};

/// The texts of each language. Labels and values of a pass that are a key here are shown as the text
/// ([localization](https://developer.apple.com/documentation/walletpasses/creating-the-source-for-a-pass#Add-support-for-different-languages)).
const STRINGS: [(&str, &str); 2] =
    [("en", include_str!("../../strings/en.strings")), ("de", include_str!("../../strings/de.strings"))];

/// The images, for screens of each density.
const IMAGES: [(&str, &[u8]); 3] = [
    ("icon.png", include_bytes!("../../images/icon.png")),
    ("icon@2x.png", include_bytes!("../../images/icon@2x.png")),
    ("icon@3x.png", include_bytes!("../../images/icon@3x.png")),
];

/// The most discounts that a pass shows: those that expire first.
const MOST_OFFERS: usize = 10;

/// Who issues passes, and where phones ask for changes.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The pass type, such as `pass.com.example.loyalty`, which the certificate is for.
    pub pass_type: String,
    /// The team that the pass type belongs to.
    pub team: String,
    /// The name shown to the customer.
    pub organization: String,
    /// The address of the update service, with `https`.
    pub web_service_url: String,
}

/// A pass as it was written, read again.
#[derive(Debug)]
pub struct Written {
    /// What was known when it was written.
    pub card: Card,
    /// Its authentication token, which an update of a pass must not change.
    pub token: String,
}

impl Written {
    /// Reads `pass.json`. Returns `None` if a card did not write it.
    #[must_use]
    pub fn read(pass: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Pass {
            authentication_token: String,
            user_info: Card,
        }
        let Pass { authentication_token, user_info } = serde_json::from_slice(pass).ok()?;
        Some(Self { card: user_info, token: authentication_token })
    }
}

impl Card {
    /// Returns the files of the pass. `token` is what the customer's phone shows to the update service: at least 16
    /// characters.
    ///
    /// # Errors
    /// If the fixed files do not fit into a package.
    pub fn package(&self, issuer: &Issuer, token: &str) -> Result<Package, PassError> {
        let mut package = Package::new(self.pass(issuer, token).to_string().into_bytes());
        for (name, image) in IMAGES {
            package.file(name, image.to_vec())?;
        }
        for (language, strings) in STRINGS {
            package.file(&format!("{language}.lproj/pass.strings"), strings.into())?;
        }
        Ok(package)
    }

    /// Returns `pass.json`. A card of nobody's is void and names nobody.
    fn pass(&self, issuer: &Issuer, token: &str) -> Value {
        let mut pass = json!({
            "formatVersion": 1,
            "passTypeIdentifier": issuer.pass_type,
            "teamIdentifier": issuer.team,
            "organizationName": issuer.organization,
            "serialNumber": Serial::of(&self.customer_number),
            "description": format!("{} loyalty card", issuer.organization),
            "webServiceURL": issuer.web_service_url,
            "authenticationToken": token,
            "logoText": issuer.organization,
            "foregroundColor": "rgb(255,255,255)",
            "labelColor": "rgb(214,235,229)",
            "backgroundColor": "rgb(11,90,74)",
            "sharingProhibited": true,
            "voided": !self.is_valid(),
            // The next event is merged with this. It is for companion apps, and shown to nobody.
            "userInfo": self,
        });
        if let Some(member) = &self.member {
            let (balance, tier) =
                self.points.as_ref().map_or_else(Default::default, |points| (points.balance, points.tier));
            let name = format!("{} {}", member.name.given.as_str(), member.name.family.as_str());
            pass["barcodes"] = json!([{
                "format": "PKBarcodeFormatQR",
                "message": self.customer_number,
                "messageEncoding": "iso-8859-1",
            }]);
            let number = json!({"key": "number", "label": "number", "value": self.customer_number});
            pass["storeCard"] = json!({
                "headerFields": [{
                    "key": "tier",
                    "label": "tier",
                    "value": format!("tier-{}", tier.as_str()),
                    "changeMessage": "tier-changed",
                }],
                "primaryFields": [{
                    "key": "points", "label": "points", "value": balance, "changeMessage": "points-changed",
                }],
                "secondaryFields": [{"key": "member", "label": "member", "value": name}],
                "backFields":
                    self.offers().into_iter().take(MOST_OFFERS).map(offer).chain([number]).collect::<Vec<_>>(),
            });
        } else {
            pass["storeCard"] = json!({});
        }
        pass
    }
}

/// The field of a discount: its worth, and until when.
fn offer((id, offer): (&DiscountId, &Offer)) -> Value {
    let worth = match &offer.value {
        DiscountValue::Percentage(percentage) => format!("{} %", percentage.get()),
        DiscountValue::Amount(amount) => {
            format!("{} {}", amount.in_major_units(), amount.currency.as_str())
        }
    };
    json!({
        "key": format!("discount-{}", id.as_str()),
        "label": "discount",
        "value": format!("{worth} ≤ {}", offer.valid_until.strftime("%F")),
        "changeMessage": "discount-changed",
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use contracts::{Name, Tier};

    use super::*;
    use crate::domain::{DiscountState, Member, PointsState};

    fn issuer() -> Issuer {
        Issuer {
            pass_type: "pass.com.example.loyalty".to_owned(),
            team: "A1B2C3D4E5".to_owned(),
            organization: "FooStore".to_owned(),
            web_service_url: "https://wallet.example.com".to_owned(),
        }
    }

    fn card() -> Card {
        let at = "2026-03-01T12:00:00Z".parse().unwrap();
        let mut card = Card::new("123456789012".parse().unwrap());
        card.member = Some(Member {
            name: Name { given: "Ada".parse().unwrap(), family: "Lovelace".parse().unwrap() },
            enrolled_at: at,
            announced: (at, uuid::Uuid::nil()),
        });
        card.points = Some(PointsState { balance: 150, tier: Tier::Gold, revision: 7, occurred_at: at });
        for (id, until) in [("LATE", "2026-09-02T00:00:00Z"), ("SOON", "2026-09-01T00:00:00Z")] {
            let value = serde_json::from_value(json!({"percentage": 15})).unwrap();
            let offer = Some(Offer { value, valid_until: until.parse().unwrap() });
            card.discounts.insert(id.parse().unwrap(), DiscountState { offer, revision: 1, occurred_at: at });
        }
        card
    }

    /// The keys of a file of strings.
    fn keys(strings: &str) -> BTreeSet<&str> {
        strings.lines().map(|line| line.split('"').nth(1).unwrap()).collect()
    }

    #[test]
    fn a_pass_shows_name_tier_balance_and_discounts() {
        let pass = card().pass(&issuer(), "0123456789abcdef");
        assert_eq!(pass["voided"], false);
        assert_eq!(pass["serialNumber"], Serial::of(&"123456789012".parse().unwrap()).to_string());
        let fields = &pass["storeCard"];
        assert_eq!(fields["headerFields"][0]["value"], "tier-gold");
        assert_eq!(fields["primaryFields"][0]["value"], 150);
        assert_eq!(fields["secondaryFields"][0]["value"], "Ada Lovelace");
        let back: Vec<_> = fields["backFields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|field| field["value"].as_str().unwrap())
            .collect();
        assert_eq!(back, ["15 % ≤ 2026-09-01", "15 % ≤ 2026-09-02", "123456789012"]);
    }

    #[test]
    fn a_card_is_read_from_its_pass() {
        let (card, token) = (card(), "0123456789abcdef");
        let pass = card.pass(&issuer(), token).to_string();
        let written = Written::read(pass.as_bytes()).unwrap();
        assert_eq!((written.card, written.token.as_str()), (card, token));
        assert!(Written::read(b"{}").is_none());
    }

    #[test]
    fn the_pass_of_an_erased_customer_is_void_and_names_nobody() {
        let mut card = card();
        card.erase("2026-04-01T00:00:00Z".parse().unwrap());
        let pass = card.pass(&issuer(), "0123456789abcdef");
        assert_eq!((&pass["voided"], &pass["storeCard"]), (&json!(true), &json!({})));
        assert!(!pass.to_string().contains("Lovelace") && pass.get("barcodes").is_none());
    }

    #[test]
    fn every_language_has_every_text_of_a_pass() {
        let [(_, first), (_, second)] = STRINGS;
        assert_eq!(keys(first), keys(second));
        let pass = card().pass(&issuer(), "0123456789abcdef");
        let fields =
            pass["storeCard"].as_object().unwrap().values().flat_map(|fields| fields.as_array().unwrap());
        for field in fields {
            for part in ["label", "changeMessage"] {
                assert!(
                    field.get(part).is_none_or(|key| keys(first).contains(key.as_str().unwrap())),
                    "{field}"
                );
            }
        }
        for tier in Tier::ALL {
            assert!(keys(first).contains(&*format!("tier-{}", tier.as_str())));
        }
        // A message of a change must name the new value.
        for (_, strings) in STRINGS {
            let messages = strings.lines().filter(|line| line.contains("-changed\""));
            assert!(messages.clone().count() == 3 && messages.clone().all(|line| line.contains("%@")));
        }
    }

    #[test]
    fn a_package_has_images_and_languages() {
        let package = card().package(&issuer(), "0123456789abcdef").unwrap();
        let manifest = package.manifest();
        let names: Vec<_> = manifest.keys().copied().collect();
        assert_eq!(
            names,
            [
                "de.lproj/pass.strings",
                "en.lproj/pass.strings",
                "icon.png",
                "icon@2x.png",
                "icon@3x.png",
                "pass.json"
            ]
        );
    }
}
