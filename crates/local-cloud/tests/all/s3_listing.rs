//! Listing: order, prefixes, delimiters and pages.

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::EncodingType;

use crate::refusal::assert_refused;
use crate::s3::{bucket, put};
use crate::support::{Cloud, cloud};

async fn filled() -> Cloud {
    let cloud = cloud().await;
    bucket(&cloud, "mine").await;
    for key in ["b/1", "a", "b/2/x", "c", "b/2/y", "b", "ä"] {
        put(&cloud, key, b"x").send().await.unwrap();
    }
    cloud
}

fn keys(listed: &ListObjectsV2Output) -> Vec<&str> {
    listed.contents().iter().filter_map(|it| it.key()).collect()
}

fn prefixes(listed: &ListObjectsV2Output) -> Vec<&str> {
    listed.common_prefixes().iter().filter_map(|it| it.prefix()).collect()
}

#[tokio::test]
async fn keys_are_listed_in_order_and_rolled_up() {
    let cloud = filled().await;
    let list = || cloud.s3.list_objects_v2().bucket("mine");
    let all = list().send().await.unwrap();
    assert_eq!(keys(&all), ["a", "b", "b/1", "b/2/x", "b/2/y", "c", "ä"]);
    assert_eq!((all.key_count(), all.is_truncated()), (Some(7), Some(false)));
    assert_eq!(all.contents()[0].size(), Some(1));
    let top = list().delimiter("/").send().await.unwrap();
    assert_eq!((keys(&top), prefixes(&top)), (vec!["a", "b", "c", "ä"], vec!["b/"]));
    let below = list().delimiter("/").prefix("b/").send().await.unwrap();
    assert_eq!((keys(&below), prefixes(&below)), (vec!["b/1"], vec!["b/2/"]));
    let after = list().start_after("b/2/x").send().await.unwrap();
    assert_eq!(keys(&after), ["b/2/y", "c", "ä"]);
    let encoded = list().encoding_type(EncodingType::Url).prefix("ä").send().await.unwrap();
    assert_eq!(keys(&encoded), ["%C3%A4"]);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn pages_continue_where_the_last_one_ended() {
    let cloud = filled().await;
    for (delimiter, expected) in
        [("", vec!["a", "b", "b/1", "b/2/x", "b/2/y", "c", "ä"]), ("/", vec!["a", "b", "b/", "c", "ä"])]
    {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let page = cloud
                .s3
                .list_objects_v2()
                .bucket("mine")
                .delimiter(delimiter)
                .max_keys(1)
                .set_continuation_token(token)
                .send()
                .await
                .unwrap();
            assert_eq!(page.key_count(), Some(1));
            found.extend(keys(&page).into_iter().chain(prefixes(&page)).map(str::to_owned));
            assert_eq!(page.is_truncated(), Some(page.next_continuation_token().is_some()));
            token = page.next_continuation_token;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(found, expected);
    }
    let none = cloud.s3.list_objects_v2().bucket("mine").max_keys(0).send().await.unwrap();
    assert_eq!((none.key_count(), none.is_truncated()), (Some(0), Some(false)));
    assert_refused(
        cloud.s3.list_objects_v2().bucket("mine").continuation_token("?").send().await,
        "InvalidArgument",
        "The continuation token provided is incorrect",
    );
    cloud.local.shutdown().await;
}
