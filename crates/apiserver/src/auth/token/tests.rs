use ring::rand::SystemRandom;

use super::*;

fn issuer() -> Issuer {
    let random = SystemRandom::new();
    let key = SigningKey::generate(&random).unwrap();
    Issuer::new("https://portolan.example", SigningKey::from_pkcs8(&key, &random).unwrap())
}

fn claims(issuer: &Issuer) -> Claims {
    let bound = Bound { namespace: "n".to_owned(), ..Bound::default() };
    let (iss, aud) = (issuer.url.clone(), issuer.audiences.clone());
    Claims { iss, aud, exp: 2000, iat: 1000, nbf: 1000, bound, ..Claims::default() }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn a_token_is_valid_between_its_times() {
    let issuer = issuer();
    let claims = claims(&issuer);
    let token = issuer.issue(&claims, &SystemRandom::new()).unwrap();
    let cases = [
        ("before the leeway", 939, Err(TokenError::NotYet)),
        ("within the leeway", 940, Ok(())),
        ("at its end", 2000, Ok(())),
        ("within the leeway after its end", 2060, Ok(())),
        ("after", 2061, Err(TokenError::Expired)),
    ];
    for (name, now, want) in cases {
        let got = issuer.verify(&token, at(now));
        assert_eq!(got.as_ref().map(|_| ()), want.as_ref().copied(), "{name}");
        if let Ok(got) = got {
            assert_eq!(*got, claims, "{name}");
        }
    }
}

#[test]
fn invalid_tokens() {
    let issuer = issuer();
    let token = issuer.issue(&claims(&issuer), &SystemRandom::new()).unwrap();
    let stranger = self::issuer();
    let foreign = stranger.issue(&claims(&stranger), &SystemRandom::new()).unwrap();
    let (signed, _) = token.rsplit_once('.').unwrap();
    let (header, body) = signed.split_once('.').unwrap();
    let mut changed: Value = serde_json::from_slice(&decode(body).unwrap()).unwrap();
    changed["sub"] = json!("system:serviceaccount:kube-system:admin");
    let changed = encode(changed.to_string().as_bytes());
    let signature = token.rsplit_once('.').unwrap().1;
    let unsigned = encode(br#"{"alg":"none"}"#);
    let cases = [
        ("not a token", "hello".to_owned(), TokenError::Unknown),
        ("two parts", "a.b".to_owned(), TokenError::Unknown),
        ("another issuer's key", foreign, TokenError::Unknown),
        ("another body", format!("{header}.{changed}.{signature}"), TokenError::Signature),
        ("another signature", format!("{signed}.{}", encode(&[7; 64])), TokenError::Signature),
        ("no algorithm", format!("{unsigned}.{body}."), TokenError::Unknown),
        ("too long", format!("{}.{body}.x", "a".repeat(MAX_TOKEN_BYTES)), TokenError::Unknown),
    ];
    for (name, token, want) in cases {
        assert_eq!(issuer.verify(&token, at(1500)).unwrap_err(), want, "{name}");
    }
}

#[test]
fn a_wanted_audience_must_be_in_the_token() {
    let issuer = issuer();
    let claims = Claims { aud: vec!["a".to_owned(), "b".to_owned()], ..claims(&issuer) };
    let wanted = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    assert_eq!(Issuer::common_audiences(&claims.aud, &wanted(&["c", "b"])), Ok(wanted(&["b"])));
    let error = Issuer::common_audiences(&claims.aud, &wanted(&["c"])).unwrap_err();
    assert_eq!(error.to_string(), r#"token audiences ["a", "b"] is invalid for the target audiences ["c"]"#);
}

#[test]
fn the_public_key_verifies_what_the_issuer_signs() {
    let issuer = issuer();
    let token = issuer.issue(&claims(&issuer), &SystemRandom::new()).unwrap();
    let keys = issuer.key_set();
    let key = &keys["keys"][0];
    let point: Vec<u8> =
        [vec![4], decode(key["x"].as_str().unwrap()).unwrap(), decode(key["y"].as_str().unwrap()).unwrap()]
            .concat();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let public = ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_FIXED, point);
    public.verify(signed.as_bytes(), &decode(signature).unwrap()).unwrap();
}
