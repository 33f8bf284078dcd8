//! Sampling rules, targets, statistics and indexing rules.

use aws_sdk_xray::error::ProvideErrorMetadata as _;
use aws_sdk_xray::operation::get_sampling_targets::GetSamplingTargetsOutput;
use aws_sdk_xray::types::{
    IndexingRuleValueUpdate, ProbabilisticRuleValueUpdate, SamplingBoostStatisticsDocument,
    SamplingRateBoost, SamplingRule, SamplingRuleUpdate, SamplingStatisticsDocument, builders,
};

use super::*;

/// Names clients as samplers do: 24 hexadecimal digits.
fn client_id(number: u32) -> String {
    format!("{number:024x}")
}

fn rule(name: &str) -> builders::SamplingRuleBuilder {
    SamplingRule::builder()
        .rule_name(name)
        .resource_arn("*")
        .priority(100)
        .fixed_rate(0.25)
        .reservoir_size(10)
        .service_name("shop")
        .service_type("*")
        .host("*")
        .http_method("GET")
        .url_path("/api/*")
        .version(1)
}

fn report(rule: &str, client: u32, timestamp: SystemTime) -> SamplingStatisticsDocument {
    SamplingStatisticsDocument::builder()
        .rule_name(rule)
        .client_id(client_id(client))
        .timestamp(timestamp.into())
        .request_count(110)
        .sampled_count(20)
        .borrow_count(10)
        .build()
        .unwrap()
}

impl Served {
    async fn create(&self, rule: SamplingRule) {
        self.client.create_sampling_rule().sampling_rule(rule).send().await.unwrap();
    }

    async fn targets(&self, reports: Vec<SamplingStatisticsDocument>) -> GetSamplingTargetsOutput {
        let call = self.client.get_sampling_targets().set_sampling_statistics_documents(Some(reports));
        call.send().await.unwrap()
    }

    async fn rules(&self) -> Vec<SamplingRule> {
        let pages = self.client.get_sampling_rules().into_paginator().items().send();
        let records = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
        records.into_iter().filter_map(|record| record.sampling_rule).collect()
    }
}

#[tokio::test]
async fn a_rule_is_created_updated_read_and_deleted() {
    let served = serve(Settings::default()).await;
    let boost = SamplingRateBoost::builder().max_rate(0.75).cooldown_window_minutes(5).build();
    let wanted = rule("checkout").attributes("tier", "gold").sampling_rate_boost(boost);
    let created = served
        .client
        .create_sampling_rule()
        .sampling_rule(wanted.clone().build().unwrap())
        .send()
        .await
        .unwrap();
    let record = created.sampling_rule_record().unwrap();
    let arn = "arn:aws:xray:eu-central-1:000000000000:sampling-rule/checkout";
    assert_eq!(record.sampling_rule(), Some(&wanted.clone().rule_arn(arn).build().unwrap()));
    assert_eq!(record.created_at(), record.modified_at());

    let change = SamplingRuleUpdate::builder().rule_arn(arn).fixed_rate(0.5).host("a.example").build();
    let updated = served.client.update_sampling_rule().sampling_rule_update(change).send().await.unwrap();
    let wanted = wanted.fixed_rate(0.5).host("a.example").rule_arn(arn).build().unwrap();
    assert_eq!(updated.sampling_rule_record().unwrap().sampling_rule(), Some(&wanted));
    let names: Vec<_> = served.rules().await.into_iter().map(|rule| rule.rule_name.unwrap()).collect();
    assert_eq!(names, ["Default", "checkout"]);

    let deleted = served.client.delete_sampling_rule().rule_name("checkout").send().await.unwrap();
    assert_eq!(deleted.sampling_rule_record().unwrap().sampling_rule(), Some(&wanted));
    let [default] = served.rules().await.try_into().unwrap();
    assert_eq!((default.priority, default.fixed_rate, default.reservoir_size), (10_000, 0.05, 1));
}

#[tokio::test]
async fn the_default_rule_stays() {
    let served = serve(Settings::default()).await;
    assert!(served.client.delete_sampling_rule().rule_name("Default").send().await.is_err());
    let update = |change: builders::SamplingRuleUpdateBuilder| {
        served.client.update_sampling_rule().sampling_rule_update(change.rule_name("Default").build()).send()
    };
    let error = update(SamplingRuleUpdate::builder().priority(1)).await.unwrap_err();
    assert!(error.message().unwrap().starts_with("Invalid update request for default sampling rule"));
    update(SamplingRuleUpdate::builder().reservoir_size(0).fixed_rate(1.0)).await.unwrap();
    let [default] = served.rules().await.try_into().unwrap();
    assert_eq!((default.fixed_rate, default.reservoir_size), (1.0, 0));
}

#[tokio::test]
async fn the_twenty_sixth_custom_rule_is_refused_and_rules_come_in_pages() {
    let served = serve(Settings { page_size: 7, ..Settings::default() }).await;
    for number in 0..25 {
        served.create(rule(&format!("rule-{number:02}")).build().unwrap()).await;
    }
    let call = served.client.create_sampling_rule().sampling_rule(rule("more").build().unwrap());
    let error = call.send().await.unwrap_err().into_service_error();
    assert!(error.is_rule_limit_exceeded_exception(), "{error:?}");
    assert_eq!(served.rules().await.len(), 26);
}

#[tokio::test]
async fn clients_share_the_reservoir_of_a_rule() {
    let served = serve(Settings::default()).await;
    let empty = served.targets(Vec::new()).await;
    assert_eq!(empty.last_rule_modification(), Some(&DateTime::from_secs(0)));
    served.create(rule("checkout").build().unwrap()).await;
    let now = SystemTime::now();
    let answer = served.targets(vec![report("checkout", 1, now), report("Default", 1, now)]).await;
    let [checkout, default] = answer.sampling_target_documents() else { panic!("two targets") };
    assert_eq!((checkout.rule_name(), checkout.fixed_rate()), (Some("checkout"), 0.25));
    assert_eq!((checkout.reservoir_quota(), checkout.interval()), (Some(10), Some(10)));
    assert_eq!((default.reservoir_quota(), default.sampling_boost()), (Some(1), None));
    let expires = SystemTime::try_from(*checkout.reservoir_quota_ttl().unwrap()).unwrap();
    let valid = expires.duration_since(now).unwrap().as_secs();
    assert!((299..=310).contains(&valid), "{valid}");
    assert!(answer.last_rule_modification().unwrap() > &DateTime::from_secs(0));

    let answer = served.targets(vec![report("checkout", 2, now)]).await;
    assert_eq!(answer.sampling_target_documents()[0].reservoir_quota(), Some(5));
    let answer = served.targets(vec![report("checkout", 1, now)]).await;
    assert_eq!(answer.sampling_target_documents()[0].reservoir_quota(), Some(5));
}

#[tokio::test]
async fn reports_on_unknown_rules_and_from_another_time_are_returned_unprocessed() {
    let served = serve(Settings::default()).await;
    let (now, minute) = (SystemTime::now(), Duration::from_mins(1));
    let reports = vec![
        report("gone", 1, now),
        report("Default", 1, now - minute * 6),
        report("Default", 1, now + minute * 6),
        report("Default", 1, now - minute * 4),
    ];
    let answer = served.targets(reports).await;
    assert_eq!(answer.sampling_target_documents().len(), 1);
    let unprocessed: Vec<_> = answer
        .unprocessed_statistics()
        .iter()
        .map(|left_out| (left_out.rule_name().unwrap(), left_out.error_code().unwrap()))
        .collect();
    assert_eq!(unprocessed, [("gone", "404"), ("Default", "400"), ("Default", "400")]);
    assert!(answer.unprocessed_statistics()[0].message().unwrap().contains("does not exist"));
}

#[tokio::test]
async fn anomalies_boost_the_rate_of_a_rule_that_allows_it() {
    let served = serve(Settings::default()).await;
    let boost = SamplingRateBoost::builder().max_rate(0.75).cooldown_window_minutes(5).build();
    served.create(rule("boosted").sampling_rate_boost(boost).build().unwrap()).await;
    served.create(rule("plain").build().unwrap()).await;
    let now = SystemTime::now();
    let anomalies = |rule: &str| {
        SamplingBoostStatisticsDocument::builder()
            .rule_name(rule)
            .service_name("shop")
            .timestamp(now.into())
            .anomaly_count(3)
            .total_count(50)
            .sampled_anomaly_count(1)
            .build()
            .unwrap()
    };
    let answer = served
        .client
        .get_sampling_targets()
        .sampling_statistics_documents(report("boosted", 1, now))
        .sampling_statistics_documents(report("plain", 1, now))
        .sampling_boost_statistics_documents(anomalies("boosted"))
        .sampling_boost_statistics_documents(anomalies("plain"))
        .sampling_boost_statistics_documents(anomalies("gone"))
        .send()
        .await
        .unwrap();
    let [boosted, plain] = answer.sampling_target_documents() else { panic!("two targets") };
    let boost = boosted.sampling_boost().unwrap();
    assert_eq!((boost.boost_rate(), boosted.fixed_rate()), (0.75, 0.25));
    let until = SystemTime::try_from(*boost.boost_rate_ttl()).unwrap();
    let lasts = until.duration_since(now).unwrap().as_secs();
    assert!((59..=70).contains(&lasts), "{lasts}");
    assert_eq!(plain.sampling_boost(), None);
    let [unprocessed] = answer.unprocessed_boost_statistics() else { panic!("one") };
    assert_eq!((unprocessed.rule_name(), unprocessed.error_code()), (Some("gone"), Some("404")));
}

#[tokio::test]
async fn statistics_add_up_what_clients_report_for_ten_seconds() {
    let served = serve(Settings { page_size: 1, ..Settings::default() }).await;
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() / 10 * 10;
    let window = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    served.create(rule("checkout").build().unwrap()).await;
    let second = Duration::from_secs(1);
    let reports = vec![
        report("checkout", 1, window),
        report("checkout", 2, window + second * 9),
        report("Default", 1, window),
        report("checkout", 1, window - second),
    ];
    served.targets(reports).await;
    let pages = served.client.get_sampling_statistic_summaries().into_paginator().items().send();
    let summaries = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
    let rows: Vec<_> = summaries
        .iter()
        .map(|row| {
            let before = row.timestamp().unwrap().secs() - i64::try_from(seconds).unwrap();
            let counts = (row.request_count(), row.sampled_count(), row.borrow_count());
            (before, row.rule_name().unwrap(), counts)
        })
        .collect();
    let wanted =
        [(-10, "checkout", (110, 20, 10)), (0, "Default", (110, 20, 10)), (0, "checkout", (220, 40, 20))];
    assert_eq!(rows, wanted);
}

#[tokio::test]
async fn the_indexing_rule_is_updated() {
    let served = serve(Settings::default()).await;
    let read = served.client.get_indexing_rules().send().await.unwrap();
    let [rule] = read.indexing_rules() else { panic!("one rule") };
    let percentage = rule.rule().unwrap().as_probabilistic().unwrap().desired_sampling_percentage();
    assert_eq!((rule.name(), percentage), (Some("Default"), 1.0));

    let update = |name: &str, percentage: f64| {
        let value =
            ProbabilisticRuleValueUpdate::builder().desired_sampling_percentage(percentage).build().unwrap();
        let rule = IndexingRuleValueUpdate::Probabilistic(value);
        served.client.update_indexing_rule().name(name).rule(rule).send()
    };
    let updated = update("Default", 25.0).await.unwrap();
    let rule = updated.indexing_rule().unwrap();
    let probabilistic = rule.rule().unwrap().as_probabilistic().unwrap();
    let desired = probabilistic.desired_sampling_percentage();
    assert_eq!((desired, probabilistic.actual_sampling_percentage()), (25.0, Some(25.0)));
    assert!(update("other", 25.0).await.unwrap_err().into_service_error().is_resource_not_found_exception());
    assert!(update("Default", 101.0).await.unwrap_err().into_service_error().is_invalid_request_exception());
}
