//! What tables cost: on demand, by the request; provisioned, by the hour for units that follow the load.

use super::flow::Flow;
use super::load::Load;

/// The templates' `MinimumUnits`.
const FEWEST: f64 = 5.0;
/// The templates' `MaximumUnits`.
pub(super) const MOST: f64 = 10_000.0;
/// Alarms that Application Auto Scaling makes for a table or an index: four for each of two policies
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/AutoScaling.CLI.html>).
const ALARMS: u32 = 8;

/// What one table or index needs if it is provisioned, at a constant rate.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Need {
    /// The table's logical name; an index after it and a slash.
    pub(super) table: String,
    pub(super) write: f64,
    pub(super) read: f64,
}

/// Units that are provisioned.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Units(pub(super) Vec<Need>);

impl Units {
    /// Computes them for units of which so many percent are consumed.
    pub(super) fn of(flow: &Flow, load: &Load, target_percent: u32) -> Self {
        let provisioned = |an_event: u32| {
            let consumed = f64::from(an_event) * load.a_second();
            (consumed * 100.0 / f64::from(target_percent)).ceil().max(FEWEST)
        };
        let of = |all: &[(String, u32)], table: &str| {
            all.iter().filter(|(name, _)| name == table).map(|(_, units)| units).sum::<u32>()
        };
        let declared = flow.tables.iter().map(|table| Need {
            table: table.clone(),
            write: provisioned(of(&flow.writes, table)),
            read: provisioned(of(&flow.reads, table)),
        });
        // An added service has one table, which it writes and does not read.
        let added = (1..=flow.added).map(|number| Need {
            table: format!("the table of added service {number}"),
            write: provisioned(1),
            read: provisioned(0),
        });
        Self(declared.chain(added).collect())
    }

    pub(super) fn write(&self) -> f64 {
        self.0.iter().map(|need| need.write).sum()
    }

    pub(super) fn read(&self) -> f64 {
        self.0.iter().map(|need| need.read).sum()
    }

    /// Returns the most of one kind that one table or index needs.
    pub(super) fn largest(&self) -> f64 {
        self.0.iter().map(|need| need.write.max(need.read)).fold(0.0, f64::max)
    }

    /// Returns the number of alarms that scale them.
    pub(super) fn alarms(&self) -> u32 {
        ALARMS * u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// Returns those that need more than the least.
    pub(super) fn busy(&self) -> impl Iterator<Item = &Need> {
        self.0.iter().filter(|need| need.write.max(need.read) > FEWEST)
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "units are whole numbers")]
mod tests {
    use serde_json::json;

    use super::super::choice::{Capacity, TARGET_UTILIZATION, name};
    use super::*;
    use crate::layer;

    fn units(events_a_minute: u32, added: u32) -> Units {
        consumed(events_a_minute, added, TARGET_UTILIZATION)
    }

    fn consumed(events_a_minute: u32, added: u32, target_percent: u32) -> Units {
        let resources = layer::resources("foostore", "prod").unwrap();
        let load = Load { events_a_minute, sampling_rate: 0.05 };
        Units::of(&Flow::of(&resources, added), &load, target_percent)
    }

    /// Nine tables and four indexes, of which four are written and six read by each event.
    #[test]
    fn no_table_has_fewer_units_than_the_least() {
        let idle = units(1, 0);
        assert_eq!((idle.write(), idle.read(), idle.alarms()), (65.0, 65.0, 104));
        let added = units(1, 3);
        assert_eq!((added.write(), added.read(), added.alarms()), (80.0, 80.0, 128));
    }

    #[test]
    fn units_follow_the_rate() {
        let busy = units(10_000, 0);
        // 166.67 ÷ 0.7 = 238.1: 4 × → 953, 1 × → 239, 3 × → 715, 2 × → 477, and nine with five
        assert_eq!(busy.write(), 953.0 + 239.0 + 715.0 + 477.0 + 9.0 * 5.0);
        // five tables are read once, app's twice, and seven not
        assert_eq!(busy.read(), 5.0 * 239.0 + 477.0 + 7.0 * 5.0);
        assert_eq!(busy.largest(), 953.0);
        let members = Need { table: "members".to_owned(), write: 953.0, read: 239.0 };
        assert_eq!((busy.busy().count(), busy.busy().next()), (6, Some(&members)));
        assert_eq!(units(10_000, 2).write() - busy.write(), 2.0 * 239.0);
    }

    #[test]
    fn the_more_is_consumed_the_fewer_are_provisioned() {
        let busy = consumed(10_000, 0, 90);
        // 166.67 ÷ 0.9 = 185.2: 4 × → 741, 1 × → 186, 3 × → 556, 2 × → 371, and nine with five
        assert_eq!(busy.write(), 741.0 + 186.0 + 556.0 + 371.0 + 9.0 * 5.0);
        assert_eq!(busy.read(), 5.0 * 186.0 + 371.0 + 7.0 * 5.0);
        assert_eq!(consumed(1, 0, 20).write(), 65.0);
    }

    /// What the templates deploy by default is what the estimate calculates with.
    #[test]
    fn the_templates_have_the_same_defaults() {
        let resources = layer::resources(contracts::APPLICATION, cloudformation::ENVIRONMENT).unwrap();
        let files = cloudformation::render(&resources, "receivers: {}\n").unwrap();
        let template: serde_json::Value = serde_saphyr::from_str(&files["data/membership.yaml"]).unwrap();
        assert_eq!(template["Parameters"]["MinimumUnits"]["Default"].as_str().unwrap(), FEWEST.to_string());
        assert_eq!(template["Parameters"]["Capacity"]["Default"], name(&Capacity::OnDemand));
        let target = &template["Parameters"]["TargetUtilization"];
        assert_eq!(target["Default"].as_str().unwrap(), TARGET_UTILIZATION.to_string());
        let resources = template["Resources"].as_object().unwrap().values();
        let targets = resources
            .map(|one| &one["Properties"]["TargetTrackingScalingPolicyConfiguration"]["TargetValue"])
            .filter(|target| !target.is_null());
        assert_eq!(targets.collect::<Vec<_>>(), [&json!({"Ref": "TargetUtilization"}); 2]);
    }
}
