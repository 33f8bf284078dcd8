use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use jiff::Timestamp;

use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const NOW: i64 = 1_614_265_330;
const BODY: &[u8] = br#"{"test": 2432232314}"#;
/// The test vector of the specification's own libraries for these.
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn headers(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [(ID_HEADER, id), (TIMESTAMP_HEADER, timestamp), (SIGNATURE_HEADER, signature)] {
        headers.insert(name, value.parse().unwrap());
    }
    headers
}

fn right() -> HeaderMap {
    headers(ID, &NOW.to_string(), SIGNATURE)
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn verify(secrets: &str, headers: &HeaderMap, body: &[u8], now_s: i64) -> Result<(), SignatureError> {
    let signed = Signed::read(headers, second(now_s))?;
    secrets.parse::<Secrets>().unwrap().verify(&signed, body)
}

#[test]
fn takes_what_others_signed_within_five_minutes_to_either_side() {
    for now in [NOW, NOW - 300, NOW + 300] {
        assert_eq!(verify(SECRET, &right(), BODY, now), Ok(()));
    }
    for now in [NOW - 301, NOW + 301, 0, Timestamp::MAX.as_second(), Timestamp::MIN.as_second()] {
        assert_eq!(verify(SECRET, &right(), BODY, now), Err(SignatureError::Expired));
    }
    let without_prefix = SECRET.strip_prefix("whsec_").unwrap();
    assert_eq!(verify(without_prefix, &right(), BODY, NOW), Ok(()));
}

#[test]
fn one_right_signature_of_several_suffices_with_any_of_the_secrets() {
    let wrong = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
    let several = headers(ID, &NOW.to_string(), &format!("{wrong} v1a,YQ== v2,{wrong} v1,* {SIGNATURE}"));
    for secrets in [SECRET.to_owned(), format!("{OTHER},{SECRET}"), format!(" {SECRET}\n{OTHER} ")] {
        assert_eq!(verify(&secrets, &several, BODY, NOW), Ok(()), "{secrets}");
    }
    assert_eq!(verify(OTHER, &several, BODY, NOW), Err(SignatureError::Mismatch));

    // What was signed with the old and the new secret is taken by who knows either.
    let signatures = format!("{SECRET},{OTHER}").parse::<Secrets>().unwrap().sign(ID, NOW, BODY);
    let both = headers(ID, &NOW.to_string(), &signatures);
    for secrets in [SECRET, OTHER] {
        assert_eq!(verify(secrets, &both, BODY, NOW), Ok(()));
    }
}

#[test]
fn refuses_everything_else() {
    let now = NOW.to_string();
    for (headers, body) in [
        (right(), br#"{"test":2432232314}"#.as_slice()),
        (headers(ID, &(NOW + 1).to_string(), SIGNATURE), BODY),
        (headers("msg_other", &now, SIGNATURE), BODY),
        // The same seconds, but not the same bytes.
        (headers(ID, &format!("0{now}"), SIGNATURE), BODY),
    ] {
        assert_eq!(verify(SECRET, &headers, body, NOW), Err(SignatureError::Mismatch));
    }
    for wrong in
        ["", "v1,", "v1", "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", &SIGNATURE[..40], "v1,YQ=="]
    {
        let headers = headers(ID, &now, wrong);
        assert_eq!(verify(SECRET, &headers, BODY, NOW), Err(SignatureError::MalformedSignature), "{wrong}");
    }
    for wrong in ["", "now", "-1614265330", "+1614265330", "1614265330.5", "99999999999999999999"] {
        let headers = headers(ID, wrong, SIGNATURE);
        assert_eq!(verify(SECRET, &headers, BODY, NOW), Err(SignatureError::MalformedTimestamp), "{wrong}");
    }
    for wrong in ["", "a.b", "a b", &"x".repeat(129)] {
        let headers = headers(wrong, &now, SIGNATURE);
        assert_eq!(verify(SECRET, &headers, BODY, NOW), Err(SignatureError::MalformedId), "{wrong}");
    }
    for name in [ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER] {
        let (mut none, mut twice) = (right(), right());
        none.remove(name);
        twice.append(name, right()[name].clone());
        for missing in [none, twice] {
            assert_eq!(verify(SECRET, &missing, BODY, NOW), Err(SignatureError::Missing), "{name}");
        }
    }
}

#[test]
fn a_secret_is_long_and_stays_secret() {
    let of = |bytes: usize| BASE64_STANDARD.encode(vec![7; bytes]).parse::<Secrets>().map(drop);
    assert_eq!(of(23), Err(InvalidSecrets));
    assert_eq!((of(24), of(64)), (Ok(()), Ok(())));
    assert_eq!(of(65), Err(InvalidSecrets));
    for wrong in ["", " , ", "whsec_", "not base64 at all", "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
        assert_eq!(wrong.parse::<Secrets>().unwrap_err(), InvalidSecrets, "{wrong}");
    }
    // What CloudFormation generates: 64 letters and digits.
    assert!("aZ09".repeat(16).parse::<Secrets>().is_ok());
    assert_eq!(format!("{:?}", SECRET.parse::<Secrets>().unwrap()), "Secrets(redacted)");
    assert!(!InvalidSecrets.to_string().contains("MfKQ"));
}
