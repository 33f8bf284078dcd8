//! What a region charges and allows: one dated file for each region.

use serde::Deserialize;

use super::number::grouped;

/// The price files. A region without one cannot be estimated.
const FILES: [&str; 2] =
    [include_str!("../../../prices/eu-central-1.json"), include_str!("../../../prices/us-east-1.json")];

/// A region's prices and quotas.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Region {
    /// Its code, such as `eu-central-1`.
    #[serde(rename = "region")]
    pub(super) code: String,
    /// Its name in AWS's price lists.
    pub(super) name: String,
    /// The currency of every price.
    pub(super) currency: String,
    pub(super) prices: Prices,
    pub(super) quotas: Quotas,
}

/// Every price that the estimate uses.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prices {
    pub(super) bus_event: Price,
    pub(super) pipe_request: Price,
    pub(super) queue_request: Price,
    pub(super) table_write: Price,
    pub(super) table_read: Price,
    pub(super) table_write_unit: Price,
    pub(super) table_read_unit: Price,
    pub(super) reserved_write_units: Price,
    pub(super) reserved_write_units_upfront: Price,
    pub(super) reserved_read_units: Price,
    pub(super) reserved_read_units_upfront: Price,
    pub(super) table_storage: Price,
    pub(super) object_write: Price,
    pub(super) object_read: Price,
    pub(super) object_storage: Price,
    pub(super) key_request: Price,
    pub(super) topic_publish: Price,
    pub(super) mail: Price,
    pub(super) task_vcpu: Price,
    pub(super) task_memory: Price,
    pub(super) balancer: Price,
    pub(super) balancer_capacity: Price,
    pub(super) nat: Price,
    pub(super) nat_data: Price,
    pub(super) endpoint: Price,
    pub(super) endpoint_data: Price,
    pub(super) trace: Price,
    pub(super) trace_insight: Price,
    pub(super) log: Price,
    pub(super) metric: Price,
    pub(super) alarm_metric: Price,
    pub(super) composite_alarm: Price,
    pub(super) dashboard: Price,
    pub(super) key: Price,
    pub(super) secret: Price,
}

/// A price, and where it is from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Price {
    /// The amount for one unit, or for those below the first tier.
    pub(super) usd: f64,
    /// The unit.
    pub(super) per: String,
    /// Lower prices for the units from a quantity on, in ascending order.
    #[serde(default)]
    pub(super) above: Vec<Tier>,
    /// AWS's page.
    pub(super) page: String,
    /// The day a copy of the page was read that shows this price; absent if none did.
    pub(super) read: Option<String>,
}

/// The price of the units from a quantity on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tier {
    pub(super) from: f64,
    pub(super) usd: f64,
}

/// Every quota that the estimate uses, as it is before an increase.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Quotas {
    pub(super) put_events: Quota,
    pub(super) invocations: Quota,
    pub(super) messages_in_flight: Quota,
    pub(super) table_writes: Quota,
    pub(super) topic_messages: Quota,
    pub(super) trace_documents: Quota,
}

/// A quota, and where it is from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Quota {
    /// Absent if no source names it.
    pub(super) value: Option<u32>,
    pub(super) unit: String,
    /// AWS's page.
    pub(super) page: String,
    /// The day a copy of the page was read that shows this quota; absent if none did.
    pub(super) read: Option<String>,
}

impl Price {
    /// Returns what `quantity` units cost together.
    pub(super) fn of(&self, quantity: f64) -> f64 {
        let ends = self.above.iter().map(|tier| tier.from).chain([f64::INFINITY]);
        let prices = [self.usd].into_iter().chain(self.above.iter().map(|tier| tier.usd));
        let mut begin = 0.0;
        let mut sum = 0.0;
        for (end, usd) in ends.zip(prices) {
            sum += (quantity.min(end) - begin).max(0.0) * usd;
            begin = end;
        }
        sum
    }

    /// Renders the amounts: `0.4, 0.3 from 100,000, 0.24 from 200,000`.
    pub(super) fn amounts(&self) -> String {
        let tiers = self.above.iter().map(|tier| format!("{} from {}", tier.usd, grouped(tier.from)));
        [self.usd.to_string()].into_iter().chain(tiers).collect::<Vec<_>>().join(", ")
    }
}

/// Returns the codes of the regions that have a price file.
pub(super) fn regions() -> Result<Vec<String>, serde_json::Error> {
    FILES.iter().map(|file| read(file).map(|region| region.code)).collect()
}

/// Returns the prices of a region, if it has a file.
pub(super) fn find(region: &str) -> Result<Option<Region>, serde_json::Error> {
    for file in FILES {
        let found = read(file)?;
        if found.code == region {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn read(file: &str) -> Result<Region, serde_json::Error> {
    serde_json::from_str(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tier_has_its_own_price() {
        let requests = find("eu-central-1").unwrap().unwrap().prices.queue_request;
        let near = |quantity: f64, usd: f64| {
            let found = requests.of(quantity);
            assert!((found - usd).abs() < 1e-6, "{found} instead of {usd}");
        };
        near(0.0, 0.0);
        near(100_000.0, 40_000.0);
        near(155_520.0, 40_000.0 + 55_520.0 * 0.3);
        near(200_001.0, 40_000.0 + 30_000.0 + 0.24);
        assert_eq!(requests.amounts(), "0.4, 0.3 from 100,000, 0.24 from 200,000");
    }

    /// A price without a source cannot be checked, and one without a date is of any age.
    #[test]
    fn every_figure_has_a_page_and_a_day_or_is_unverified() {
        for file in FILES {
            let file: serde_json::Value = serde_json::from_str(file).unwrap();
            assert_eq!(file["currency"], "USD");
            for (kind, host) in
                [("prices", "https://aws.amazon.com/"), ("quotas", "https://docs.aws.amazon.com/")]
            {
                for (name, figure) in file[kind].as_object().unwrap() {
                    assert!(figure["page"].as_str().unwrap().starts_with(host), "{name}");
                    if let Some(read) = figure["read"].as_str() {
                        read.parse::<jiff::civil::Date>().unwrap();
                        assert!(!figure["value"].is_null() || !figure["usd"].is_null(), "{name}");
                    }
                }
            }
        }
    }

    #[test]
    fn tiers_ascend_and_get_cheaper() {
        for file in FILES {
            let file: serde_json::Value = serde_json::from_str(file).unwrap();
            for (name, price) in file["prices"].as_object().unwrap() {
                let price: Price = serde_json::from_value(price.clone()).unwrap();
                let mut last = (0.0, price.usd);
                for tier in &price.above {
                    assert!(tier.from > last.0 && tier.usd < last.1, "{name}");
                    last = (tier.from, tier.usd);
                }
            }
        }
    }
}
