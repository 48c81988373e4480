//! The client, answered as the registry's API reference says.

use retrial::{NewSchema, RegistryError, SchemaKind, SchemaReference, SchemaRegistry, SchemaRegistryBuilder, Version};
use retrial_registry_for_tests::{Options, Registry};
use serde_json::json;
use std::{net::TcpListener, time::Duration};

const V1: &str = r#"{"type":"record","name":"Order","fields":[{"name":"id","type":"int"}]}"#;
const V2: &str = r#"{"type":"record","name":"Order","fields":[{"name":"id","type":"long"},{"name":"note","type":"string","default":""}]}"#;
const CLASH: &str = r#"{"type":"record","name":"Order","fields":[{"name":"id","type":"string"}]}"#;

fn builder(registry: &Registry) -> SchemaRegistryBuilder {
    SchemaRegistry::builder([registry.url()]).timeout(Duration::from_secs(20))
}

fn code(error: &RegistryError) -> u32 {
    match error {
        RegistryError::NotFound { code, .. } | RegistryError::Refused { code, .. } => *code,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_schema_is_asked_for_once_by_id_and_by_guid() {
    let registry = Registry::start();
    let id = registry.put("orders-value", V1);
    let client = builder(&registry).build().unwrap();
    let asked = (0..20).map(|_| client.schema_by_id(id));
    for schema in futures_util::future::join_all(asked).await {
        assert_eq!(schema.map(|schema| schema.text.clone()), Ok(V1.to_owned()));
    }
    let by_guid = client.schema_by_guid(Registry::guid(id)).await.unwrap();
    assert_eq!((&by_guid.kind, &*by_guid.text), (&SchemaKind::Avro, V1));
    let _ = client.schema_by_guid(Registry::guid(id)).await;
    let asked = registry.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
}

#[tokio::test]
async fn what_is_not_there_is_told_apart_by_its_code_and_asked_again_after_the_expiry() {
    let registry = Registry::start();
    let client = builder(&registry).absent_for(Duration::from_millis(1)).build().unwrap();
    assert_eq!(code(&client.schema_by_id(7).await.unwrap_err()), 40403);
    assert_eq!(code(&client.schema_by_guid([7; 16]).await.unwrap_err()), 40403);
    assert_eq!(code(&client.version("a/b c", Version::Latest).await.unwrap_err()), 40401);
    assert_eq!(code(&client.lookup("orders-value", &NewSchema::avro(V1)).await.unwrap_err()), 40401);
    let id = registry.put("a/b c", V1);
    assert_eq!(code(&client.version("a/b c", Version::Number(2)).await.unwrap_err()), 40402);
    assert_eq!(code(&client.version("a/b c", Version::Number(0)).await.unwrap_err()), 42202);
    assert_eq!(code(&client.lookup("a/b c", &NewSchema::avro(V2)).await.unwrap_err()), 40403);
    let version = client.version("a/b c", Version::Latest).await.unwrap();
    assert_eq!((version.version, version.id, &*version.schema.text), (1, id, V1));
    while client.schema_by_id(id).await.is_err() {
        assert!(registry.asked().len() < 1_000);
    }
}

#[tokio::test]
async fn registering_is_off_and_then_follows_the_registrys_rules() {
    let registry = Registry::start();
    let reader = builder(&registry).build().unwrap();
    assert_eq!(reader.register("o", &NewSchema::avro(V1)).await, Err(RegistryError::ReadOnly));
    assert!(registry.asked().is_empty());
    let writer = builder(&registry).allow_registration().build().unwrap();
    let id = writer.register("o", &NewSchema::avro(V1)).await.unwrap();
    assert_eq!(reader.lookup("o", &NewSchema::avro(V1)).await, Ok(id));
    assert_eq!(code(&writer.register("o", &NewSchema::avro(CLASH)).await.unwrap_err()), 409);
    assert_eq!(code(&writer.register("o", &NewSchema::avro("{")).await.unwrap_err()), 42201);
    let newer = reader.check_compatibility("o", Version::Latest, &NewSchema::avro(V2)).await.unwrap();
    assert!(newer.is_compatible && newer.messages.is_empty());
    let clash = reader.check_compatibility("o", Version::Latest, &NewSchema::avro(CLASH)).await.unwrap();
    assert!(!clash.is_compatible && !clash.messages.is_empty());
    assert_eq!(code(&reader.check_compatibility("p", Version::Latest, &NewSchema::avro(V1)).await.unwrap_err()), 40401);
}

#[tokio::test]
async fn references_come_with_their_own_before_them() {
    let registry = Registry::start();
    let refers = |subject: &str| json!([{"name": subject, "subject": subject, "version": 1}]);
    registry.put("Sku", r#"{"type":"fixed","name":"Sku","size":4}"#);
    let line = r#"{"type":"record","name":"Line","fields":[{"name":"sku","type":"Sku"}]}"#;
    registry.put_as("Line", line, "AVRO", refers("Sku"));
    let order = r#"{"type":"record","name":"Order","fields":[{"name":"line","type":"Line"}]}"#;
    let id = registry.put_as("orders-value", order, "AVRO", refers("Line"));
    let client = builder(&registry).build().unwrap();
    let schema = client.schema_by_id(id).await.unwrap();
    assert_eq!(schema.references.len(), 2);
    assert!(schema.references[0].contains("fixed") && &*schema.references[1] == line);
    let reference = SchemaReference { name: "Line".to_owned(), subject: "Line".to_owned(), version: 1 };
    let new = NewSchema { references: vec![reference], ..NewSchema::avro(order) };
    assert_eq!(client.lookup("orders-value", &new).await, Ok(id));
    let lost = registry.put_as("lost", order, "AVRO", refers("Nowhere"));
    assert_eq!(code(&client.schema_by_id(lost).await.unwrap_err()), 40401);
    let own = registry.put_as("own", order, "AVRO", refers("own"));
    assert!(matches!(client.schema_by_id(own).await, Err(RegistryError::Unusable { .. })));
}

#[tokio::test]
async fn silence_is_an_outage_and_never_an_answer() {
    let registry = Registry::start();
    let id = registry.put("o", V1);
    let client = builder(&registry).build().unwrap();
    let foreign = [
        (500, r#"{"error_code":50001,"message":"Error in the backend data store"}"#),
        (500, r#"{"error_code":50003,"message":"Error while forwarding the request to the primary"}"#),
        (503, ""),
        (429, ""),
        (404, "<html>nothing here</html>"),
        (404, r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#),
        (200, "<html>log in</html>"),
        (200, "{}"),
        (302, ""),
    ];
    for (status, body) in foreign {
        registry.answer_next(status, body);
        let error = client.schema_by_id(id).await.unwrap_err();
        assert!(error.is_outage(), "{status} {body}: {error}");
    }
    assert!(client.schema_by_id(id).await.is_ok());
}

#[tokio::test]
async fn a_registry_that_stops_is_away_and_is_back_when_it_starts() {
    let mut registry = Registry::start();
    let id = registry.put("o", V1);
    let client = builder(&registry).build().unwrap();
    registry.stop();
    assert!(client.schema_by_id(id).await.unwrap_err().is_outage());
    assert!(client.hold_for() >= Duration::from_secs(1) && client.hold_for() <= Duration::from_secs(30));
    registry.start_again();
    assert!(client.schema_by_id(id).await.is_ok());
}

#[tokio::test]
async fn a_registry_that_never_answers_is_away_after_the_time_limit_and_the_next_one_is_asked() {
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mute = format!("http://{}", mute.local_addr().map(|address| (mute, address)).unwrap().1);
    let registry = Registry::start();
    let id = registry.put("o", V1);
    let limit = Duration::from_millis(200);
    let alone = SchemaRegistry::builder([mute.clone()]).timeout(limit).build().unwrap();
    assert!(alone.schema_by_id(id).await.unwrap_err().is_outage());
    let both = SchemaRegistry::builder([mute, registry.url()]).timeout(Duration::from_secs(20)).build().unwrap();
    assert!(both.schema_by_id(id).await.is_ok());
}

#[tokio::test]
async fn a_replica_that_is_behind_is_no_proof() {
    let (behind, ahead) = (Registry::start(), Registry::start());
    let id = ahead.put("o", V1);
    let client = SchemaRegistry::builder([behind.url(), ahead.url()]).timeout(Duration::from_secs(20)).build().unwrap();
    assert!(client.schema_by_id(id).await.is_ok());
    assert_eq!(code(&client.schema_by_id(id + 1).await.unwrap_err()), 40403);
}

#[tokio::test]
async fn credentials_are_sent_and_refused_ones_are_an_outage() {
    let options = Options { authorization: Some("Basic YW5uOmh1bnRlcjI=".to_owned()), ..Options::default() };
    let registry = Registry::start_with(options);
    let id = registry.put("o", V1);
    let good = builder(&registry).basic_auth("ann", "hunter2").build().unwrap();
    assert!(good.schema_by_id(id).await.is_ok());
    for bad in [
        builder(&registry),
        builder(&registry).basic_auth("ann", "hunter3"),
        builder(&registry).bearer_token("hunter2"),
    ] {
        let error = bad.build().unwrap().schema_by_id(id).await.unwrap_err();
        assert!(error.is_outage() && !error.to_string().contains("hunter"), "{error}");
    }
    let token = Options { authorization: Some("Bearer t0ken".to_owned()), ..Options::default() };
    let registry = Registry::start_with(token);
    let id = registry.put("o", V1);
    assert!(builder(&registry).bearer_token("t0ken").build().unwrap().schema_by_id(id).await.is_ok());
}

#[tokio::test]
async fn tls_is_spoken_to_whom_an_authority_vouches_for() {
    let registry =
        Registry::start_with(Options { tls: true, prefix: "/apis/ccompat/v7".to_owned(), ..Options::default() });
    let id = registry.put("o", V1);
    let trusting = builder(&registry).ca_certificates(Registry::ca()).build().unwrap();
    assert!(trusting.schema_by_id(id).await.is_ok());
    let wary = builder(&registry).build().unwrap();
    let error = wary.schema_by_id(id).await.unwrap_err();
    assert!(error.is_outage() && error.to_string().contains("certificate"), "{error}");
}

#[tokio::test]
async fn a_registry_without_guids_says_so_and_a_wrong_path_is_an_outage() {
    let old = Registry::start_with(Options { old: true, ..Options::default() });
    let client = builder(&old).build().unwrap();
    assert!(matches!(client.schema_by_guid([1; 16]).await, Err(RegistryError::Unsupported { .. })));
    let elsewhere = SchemaRegistry::builder([format!("{}/wrong", old.url())]).build().unwrap();
    assert!(elsewhere.schema_by_guid([1; 16]).await.unwrap_err().is_outage());
    assert!(elsewhere.schema_by_id(1).await.unwrap_err().is_outage());
}
