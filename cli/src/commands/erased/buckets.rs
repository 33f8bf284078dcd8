//! Objects about a customer in the buckets of an environment.

use std::io::{BufRead, BufReader, Cursor, Read as _};
use std::path::Path;

use aws_clients::{AwsError, service};
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::Object;
use contracts::CustomerNumber;
use flate2::read::MultiGzDecoder;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use topology::BucketResource;

use super::found::{Found, mentions};
use crate::bucket_names::BucketNames;
use crate::stdio::remark;

/// How many objects are read at once.
const AT_ONCE: usize = 8;
/// The largest object that is read. A service writes smaller ones.
const MOST_BYTES: i64 = 64 * 1_024 * 1_024;
/// The longest line of an unpacked object: more than an event may have.
const LONGEST_LINE_BYTES: u64 = 4 * 1_024 * 1_024;
/// What a gzip stream begins with ([RFC 1952](https://www.rfc-editor.org/rfc/rfc1952)).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// What a zip file begins with.
const ZIP: [u8; 2] = *b"PK";

/// Searches the current version of every object.
///
/// # Errors
/// When STS or S3 cannot be reached, or refuses a call.
pub(super) async fn search(
    config: &SdkConfig,
    buckets: &[BucketResource],
    customer: &CustomerNumber,
) -> Result<Vec<Found>, AwsError> {
    if buckets.is_empty() {
        return Ok(Vec::new());
    }
    let names = BucketNames::of(config).await?;
    let client = aws_clients::s3(config);
    let mut found = Vec::new();
    for bucket in buckets {
        let name = names.name(&bucket.name);
        found.extend(search_one(&client, bucket, &name, customer).await?);
    }
    Ok(found)
}

async fn search_one(
    client: &Client,
    bucket: &BucketResource,
    name: &str,
    customer: &CustomerNumber,
) -> Result<Vec<Found>, AwsError> {
    let mut found = Vec::new();
    let mut pages = client.list_objects_v2().bucket(name).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| AwsError::of(service::S3, "ListObjectsV2", error))?;
        let mut objects = page.contents.unwrap_or_default().into_iter();
        let mut searches = FuturesUnordered::new();
        loop {
            while searches.len() < AT_ONCE
                && let Some(object) = objects.next()
            {
                searches.push(search_object(client, bucket, name, object, customer));
            }
            let Some(one) = searches.next().await else { break };
            found.extend(one?);
        }
    }
    found.sort_by(|one: &Found, other| one.what.cmp(&other.what));
    Ok(found)
}

async fn search_object(
    client: &Client,
    bucket: &BucketResource,
    name: &str,
    object: Object,
    customer: &CustomerNumber,
) -> Result<Option<Found>, AwsError> {
    let until = expiry(&object, bucket);
    let key = object.key.unwrap_or_default();
    if object.size.unwrap_or_default() > MOST_BYTES {
        remark(&format!("{key} of {name} was not read, since it is larger than {MOST_BYTES} bytes"));
        return Ok(None);
    }
    let got = match client.get_object().bucket(name).key(&key).send().await {
        // Deleted since it was listed.
        Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => {
            return Ok(None);
        }
        got => got.map_err(|error| AwsError::of(service::S3, "GetObject", error))?,
    };
    let Ok(bytes) = got.body.collect().await else {
        return Err(AwsError::unreadable(service::S3, "GetObject"));
    };
    let Ok(content) = content(&bytes.into_bytes(), customer) else {
        remark(&format!("{key} of {name} was not read: it is damaged, or too long when unpacked"));
        return Ok(None);
    };
    Ok(Found::new(name, || key, &content, customer.as_str(), until))
}

/// Returns what in an object mentions the customer: its documents, line by line, of a text, a gzip stream, or the files of
/// a zip file.
fn content(bytes: &[u8], customer: &CustomerNumber) -> std::io::Result<Value> {
    let mut documents = Vec::new();
    match bytes.first_chunk() {
        Some(&GZIP) => read(BufReader::new(MultiGzDecoder::new(bytes)), customer, &mut documents)?,
        Some(&ZIP) => {
            let mut files = zip::ZipArchive::new(Cursor::new(bytes))?;
            for index in 0..files.len() {
                let file = files.by_index(index)?;
                // An image has no lines that would be worth a look.
                let name = file.name()?.into_owned();
                let extension = Path::new(&name).extension();
                if extension.is_some_and(|extension| extension == "json" || extension == "strings") {
                    read(BufReader::new(file), customer, &mut documents)?;
                }
            }
        }
        _ => read(bytes, customer, &mut documents)?,
    }
    Ok(Value::Array(documents))
}

/// Adds the lines that mention the customer.
fn read(
    mut text: impl BufRead,
    customer: &CustomerNumber,
    documents: &mut Vec<Value>,
) -> std::io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = (&mut text).take(LONGEST_LINE_BYTES).read_until(b'\n', &mut line)?;
        if length == 0 {
            return Ok(());
        }
        if !line.ends_with(b"\n") && u64::try_from(length).is_ok_and(|length| length == LONGEST_LINE_BYTES) {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        let document = serde_json::from_slice(&line)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&line).into_owned()));
        if mentions(&document, customer.as_str()) {
            documents.push(document);
        }
    }
}

/// Returns when the bucket's lifecycle deletes the object.
fn expiry(object: &Object, bucket: &BucketResource) -> Option<Timestamp> {
    let days = bucket.lifecycle.expires_after_days?;
    let written = Timestamp::from_second(object.last_modified?.secs()).ok()?;
    written.saturating_add(SignedDuration::from_hours(24 * i64::from(days))).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::json;

    use super::*;

    const ADA: &str = r#"{"customer_number":"123456789012","name":"Ada"}"#;
    const OTHER: &str = r#"{"customer_number":"123456789013","name":"Bob"}"#;

    fn of_ada(bytes: &[u8]) -> Value {
        content(bytes, &"123456789012".parse().unwrap()).unwrap()
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn lines_that_mention_the_customer_are_found_packed_or_not() {
        let expected = json!([serde_json::from_str::<Value>(ADA).unwrap()]);
        let lines = format!("{OTHER}\n{ADA}\n{OTHER}");
        assert_eq!(of_ada(lines.as_bytes()), expected);
        assert_eq!(of_ada(&gzip(&lines)), expected);
        // Streams that follow each other are one text.
        assert_eq!(of_ada(&[gzip(&format!("{OTHER}\n")), gzip(&format!("{ADA}\n"))].concat()), expected);
        assert_eq!(of_ada(&gzip(OTHER)), json!([]));
        assert_eq!(of_ada(b""), json!([]));
    }

    #[test]
    fn files_of_a_zip_file_are_searched() {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let stored =
            zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        for (name, text) in
            [("icon.png", ADA), ("pass.json", ADA), ("de.lproj/pass.strings", "\"a\" = \"b\";")]
        {
            zip.start_file(name, stored).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        let expected = json!([serde_json::from_str::<Value>(ADA).unwrap()]);
        assert_eq!(of_ada(&zip.finish().unwrap().into_inner()), expected);
    }

    #[test]
    fn a_damaged_object_is_an_error_and_an_endless_line_too() {
        let customer = "123456789012".parse().unwrap();
        let packed = gzip(ADA);
        for damaged in [&packed[..packed.len() - 5], b"PK\x03\x04"] {
            assert!(content(damaged, &customer).is_err());
        }
        let endless = "x".repeat(usize::try_from(LONGEST_LINE_BYTES).unwrap() + 1);
        assert!(content(&gzip(&endless), &customer).is_err());
    }
}
