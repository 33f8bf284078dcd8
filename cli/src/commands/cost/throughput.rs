//! What reads and writes of tables cost in a month, in each mode.

use super::choice::Capacity;
use super::fee::{Fee, fee};
use super::flow::Flow;
use super::prices::{Price, Prices};
use super::tables::Units;

/// Hours of a month of 30 days.
pub(super) const HOURS: f64 = 720.0;
/// Units of a reservation (<https://aws.amazon.com/dynamodb/reserved-capacity/>).
const RESERVED_TOGETHER: f64 = 100.0;
/// Months over which the upfront price of a reservation is spread.
const MONTHS: f64 = 12.0;

/// What is read and written in a month.
pub(super) struct Throughput<'a, 'b> {
    pub(super) prices: &'a Prices,
    pub(super) flow: &'b Flow,
    pub(super) units: &'b Units,
    /// Events a month in millions.
    pub(super) millions: f64,
}

impl<'a> Throughput<'a, '_> {
    /// Returns the lines of the bill, without the alarms.
    pub(super) fn fees(&self, capacity: Capacity) -> Vec<Fee<'a>> {
        match capacity {
            Capacity::OnDemand => self.requests(),
            Capacity::Provisioned => self.provisioned(self.units.write(), self.units.read()),
            Capacity::Reserved => self.reserved(),
        }
    }

    /// Returns the sum of the lines, with the alarms that scale units.
    pub(super) fn usd(&self, capacity: Capacity) -> f64 {
        let alarms = self.prices.alarm_metric.of(f64::from(self.alarms(capacity)));
        self.fees(capacity).iter().map(Fee::usd).sum::<f64>() + alarms
    }

    /// Returns the number of alarms that scale units.
    pub(super) fn alarms(&self, capacity: Capacity) -> u32 {
        if capacity == Capacity::OnDemand { 0 } else { self.units.alarms() }
    }

    fn requests(&self) -> Vec<Fee<'a>> {
        let (n, flow, prices) = (self.millions, self.flow, self.prices);
        let (writes, reads) = (n * f64::from(flow.write_units()), n * f64::from(flow.read_units()));
        vec![
            fee("DynamoDB, writes", "events × write units", writes, &prices.table_write),
            fee("DynamoDB, reads", "events × read units", reads, &prices.table_read),
        ]
    }

    fn provisioned(&self, write: f64, read: f64) -> Vec<Fee<'a>> {
        let prices = self.prices;
        let how = "tables and indexes × hours × units a second ÷ target, at least 5";
        vec![
            fee("DynamoDB, writes", how, write * HOURS, &prices.table_write_unit),
            fee("DynamoDB, reads", how, read * HOURS, &prices.table_read_unit),
        ]
    }

    /// Whole hundreds of all units together are reserved, and the rest is only provisioned.
    fn reserved(&self) -> Vec<Fee<'a>> {
        let prices = self.prices;
        let write = Reservation::of(self.units.write());
        let read = Reservation::of(self.units.read());
        let mut fees = self.provisioned(write.rest, read.rest);
        fees.extend(write.fees(
            ["DynamoDB, writes, reserved", "DynamoDB, writes, upfront"],
            [&prices.reserved_write_units, &prices.reserved_write_units_upfront],
        ));
        fees.extend(read.fees(
            ["DynamoDB, reads, reserved", "DynamoDB, reads, upfront"],
            [&prices.reserved_read_units, &prices.reserved_read_units_upfront],
        ));
        fees
    }
}

/// Units of one kind.
struct Reservation {
    /// Those that are reserved, in hundreds.
    hundreds: f64,
    /// Those that are not.
    rest: f64,
}

impl Reservation {
    fn of(units: f64) -> Self {
        Self { hundreds: (units / RESERVED_TOGETHER).floor(), rest: units % RESERVED_TOGETHER }
    }

    /// Returns what is paid by the hour and what was paid upfront.
    fn fees<'a>(&self, names: [&'static str; 2], prices: [&'a Price; 2]) -> [Fee<'a>; 2] {
        [
            fee(names[0], "whole hundreds of units × hours", self.hundreds * HOURS, prices[0]),
            fee(names[1], "whole hundreds of units ÷ 12 months", self.hundreds / MONTHS, prices[1]),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::Load;
    use super::super::prices;
    use super::*;
    use crate::layer;

    /// In Virginia, 10,000 events a minute: 2,429 units for writes and 1,707 for reads.
    #[test]
    fn whole_hundreds_of_units_are_reserved_and_the_rest_is_provisioned() {
        let prices = prices::find("us-east-1").unwrap().unwrap().prices;
        let flow = Flow::of(&layer::resources("foostore", "prod").unwrap(), 0);
        let units = Units::of(&flow, &Load { events_a_minute: 10_000, sampling_rate: 0.05 }, 70);
        let throughput = Throughput { prices: &prices, flow: &flow, units: &units, millions: 432.0 };
        let fees = throughput.fees(Capacity::Reserved);
        let expected = [
            ("DynamoDB, writes", 29.0 * 720.0 * 0.000_65),
            ("DynamoDB, reads", 7.0 * 720.0 * 0.000_13),
            ("DynamoDB, writes, reserved", 24.0 * 720.0 * 0.0128),
            ("DynamoDB, writes, upfront", 24.0 * 150.0 / 12.0),
            ("DynamoDB, reads, reserved", 17.0 * 720.0 * 0.0025),
            ("DynamoDB, reads, upfront", 17.0 * 30.0 / 12.0),
        ];
        assert_eq!(fees.len(), expected.len());
        for (fee, (name, usd)) in fees.iter().zip(expected) {
            assert!(fee.name == name && (fee.usd() - usd).abs() < 1e-6, "{fee:?}: not {usd}");
        }
        // 13.57 + 0.66 + 221.18 + 300.00 + 30.60 + 42.50, and 104 alarms for 10.40
        assert!((throughput.usd(Capacity::Reserved) - 618.91).abs() < 0.01, "{fees:?}");
    }

    /// AWS says that a year saves up to 54 % (<https://aws.amazon.com/dynamodb/reserved-capacity/>).
    #[test]
    fn a_reservation_saves_about_half() {
        for region in prices::regions().unwrap() {
            let prices = prices::find(&region).unwrap().unwrap().prices;
            for (unit, hour, upfront) in [
                (
                    &prices.table_write_unit,
                    &prices.reserved_write_units,
                    &prices.reserved_write_units_upfront,
                ),
                (&prices.table_read_unit, &prices.reserved_read_units, &prices.reserved_read_units_upfront),
            ] {
                let of_an_hour = (hour.usd + upfront.usd / 8_760.0) / RESERVED_TOGETHER;
                let saved = 1.0 - of_an_hour / unit.usd;
                assert!((0.535..0.545).contains(&saved), "{region}: {saved}");
            }
        }
    }
}
