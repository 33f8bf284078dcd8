//! A customer's entries, by the index.
//!
//! The index is behind the table, so what it shows is checked against the account: by the number of entries, or because
//! entries are looked for only when they have long been there ([`MARGIN`](crate::domain::MARGIN)).

use aws_clients::{AwsError, service};
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use contracts::CustomerNumber;
use sqs_consumer::Failure;
use sweeper::Item;
use thiserror::Error;
use topology::Index;

use crate::domain::{Mark, Movement};
use crate::mark;
use crate::table::{self, COUNTS_UNTIL, CUSTOMER_NUMBER, KIND, OCCURRED_AT, POINTS, Rewards, text};

const INDEX: &str = "customer";

/// Why entries could not be read.
#[derive(Debug, Error)]
pub(crate) enum LedgerError {
    /// DynamoDB did not carry out the request.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// An item of the index is not an entry.
    #[error("an entry of customer {customer_number} cannot be read")]
    Unreadable { customer_number: CustomerNumber },
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Aws(error) => error.into(),
            LedgerError::Unreadable { .. } => Self::permanent("entry-unreadable").because(error),
        }
    }
}

/// Returns the declaration of the index.
pub(crate) fn index() -> Index {
    Index::new(INDEX).partition_key(CUSTOMER_NUMBER).sort_key(COUNTS_UNTIL).projects([
        KIND,
        POINTS,
        OCCURRED_AT,
    ])
}

/// Some of a customer's entries, in the order of the index.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) movements: Vec<Movement>,
    /// Where the next page begins.
    pub(crate) next: Option<Item>,
}

impl Rewards {
    /// Returns a page of the entries after the place `after`, all if `None`.
    pub(crate) async fn entries_after(
        &self,
        customer_number: &CustomerNumber,
        after: Option<&str>,
        start: Option<Item>,
    ) -> Result<Page, LedgerError> {
        let query = self.entries(customer_number).set_exclusive_start_key(start);
        let query = match after {
            None => query.key_condition_expression("#customer = :customer"),
            Some(place) => query
                .key_condition_expression("#customer = :customer AND #until > :after")
                .expression_attribute_names("#until", COUNTS_UNTIL)
                .expression_attribute_values(":after", text(place)),
        };
        self.read(customer_number, query).await
    }

    /// Returns a page, of at most `most`, of those entries whose points cease to count after `after` and no later than
    /// `through`.
    pub(crate) async fn leaving(
        &self,
        customer_number: &CustomerNumber,
        after: Option<Mark>,
        through: Mark,
        most: i32,
        start: Option<Item>,
    ) -> Result<Page, LedgerError> {
        // Digits come after what does not count.
        let after = after.map_or_else(|| "0".to_owned(), mark::text);
        let query = self
            .entries(customer_number)
            .key_condition_expression("#customer = :customer AND #until BETWEEN :after AND :through")
            .expression_attribute_names("#until", COUNTS_UNTIL)
            .expression_attribute_values(":after", text(&after))
            .expression_attribute_values(":through", text(&mark::text(through)))
            .limit(most)
            .set_exclusive_start_key(start);
        self.read(customer_number, query).await
    }

    /// Returns the entry whose points are the first to cease to count after `mark`.
    pub(crate) async fn first_after(
        &self,
        customer_number: &CustomerNumber,
        mark: Mark,
    ) -> Result<Option<Movement>, LedgerError> {
        let query = self
            .entries(customer_number)
            .key_condition_expression("#customer = :customer AND #until > :after")
            .expression_attribute_names("#until", COUNTS_UNTIL)
            .expression_attribute_values(":after", text(&mark::text(mark)))
            .limit(1);
        Ok(self.read(customer_number, query).await?.movements.pop())
    }

    fn entries(&self, customer_number: &CustomerNumber) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .expression_attribute_names("#customer", CUSTOMER_NUMBER)
            .expression_attribute_values(":customer", text(customer_number))
    }

    async fn read(
        &self,
        customer_number: &CustomerNumber,
        query: QueryFluentBuilder,
    ) -> Result<Page, LedgerError> {
        let found = Box::pin(self.client.call(query)).await;
        let found = found.map_err(|error| AwsError::of(service::DYNAMODB, "Query", error))?;
        let movements = found.items.unwrap_or_default().iter().map(table::movement).collect::<Option<_>>();
        Ok(Page {
            movements: movements
                .ok_or_else(|| LedgerError::Unreadable { customer_number: customer_number.clone() })?,
            next: found.last_evaluated_key.filter(|next| !next.is_empty()),
        })
    }
}
