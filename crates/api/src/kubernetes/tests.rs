use std::cell::RefCell;

use portolan_object::schema::{Schema, Shape};
use portolan_object::{Object, builtin};
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::json;

use super::*;

/// Answers a view's questions from the schema of its kind and notes the fields that the schema does not have.
#[derive(Clone)]
struct Probe<'a> {
    schema: Schema<'static>,
    path: String,
    unknown: &'a RefCell<Vec<String>>,
}

impl Probe<'_> {
    fn below(&self, schema: Schema<'static>, segment: &str) -> Self {
        Self { schema, path: format!("{}{segment}", self.path), unknown: self.unknown }
    }
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = FieldError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.schema.node().shape {
            Shape::String => visitor.visit_borrowed_str("x"),
            Shape::Boolean => visitor.visit_bool(true),
            Shape::Integer | Shape::Number | Shape::IntOrString => visitor.visit_u64(1),
            Shape::Array(_) => visitor.visit_seq(OneItem(Some(self))),
            Shape::Map(_) => visitor.visit_map(EachField { probe: self, fields: &["x"], current: "" }),
            Shape::Object(_) | Shape::Any => Err(de::Error::custom(format!("{} is not modelled", self.path))),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        visitor.visit_map(EachField { probe: self, fields, current: "" })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct
        seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct OneItem<'a>(Option<Probe<'a>>);

impl<'de> SeqAccess<'de> for OneItem<'_> {
    type Error = FieldError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, FieldError> {
        let Some(probe) = self.0.take() else { return Ok(None) };
        let items = probe.schema.items().expect("only lists are read as lists");
        seed.deserialize(probe.below(items, "[]")).map(Some)
    }
}

struct EachField<'a> {
    probe: Probe<'a>,
    fields: &'static [&'static str],
    current: &'static str,
}

impl<'de> MapAccess<'de> for EachField<'_> {
    type Error = FieldError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, FieldError> {
        while let Some((field, rest)) = self.fields.split_first() {
            self.fields = rest;
            if self.probe.schema.property(field).is_some() {
                self.current = field;
                return seed.deserialize(BorrowedStrDeserializer::new(field)).map(Some);
            }
            self.probe.unknown.borrow_mut().push(format!("{}.{field}", self.probe.path));
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, FieldError> {
        let schema = self.probe.schema.property(self.current).expect("the key was checked");
        seed.deserialize(self.probe.below(schema, &format!(".{}", self.current)))
    }
}

/// The fields of a view that its kind does not have.
fn unknown_fields<V: View<'static>>() -> Vec<String> {
    let schema = builtin::schema(&V::RESOURCE.gvk()).expect("views are of built-in kinds");
    let unknown = RefCell::default();
    let path = V::RESOURCE.kind.to_owned();
    V::deserialize(Probe { schema, path, unknown: &unknown }).expect("types agree with the schema");
    unknown.into_inner()
}

#[test]
fn every_field_of_a_view_exists_in_its_kind() {
    type UnknownFields = fn() -> Vec<String>;
    let views: &[(&str, UnknownFields)] = &[
        ("AutoscaledPod", unknown_fields::<AutoscaledPod>),
        ("ClusterRole", unknown_fields::<ClusterRole>),
        ("ClusterRoleBinding", unknown_fields::<ClusterRoleBinding>),
        ("ControllerRevision", unknown_fields::<ControllerRevision>),
        ("CustomResourceDefinition", unknown_fields::<CustomResourceDefinition>),
        ("DaemonSet", unknown_fields::<DaemonSet>),
        ("Deployment", unknown_fields::<Deployment>),
        ("EndpointSlice", unknown_fields::<EndpointSlice>),
        ("Ingress", unknown_fields::<Ingress>),
        ("Job", unknown_fields::<Job>),
        ("Namespace", unknown_fields::<Namespace>),
        ("Node", unknown_fields::<Node>),
        ("PersistentVolume", unknown_fields::<PersistentVolume>),
        ("PersistentVolumeClaim", unknown_fields::<PersistentVolumeClaim>),
        ("Pod", unknown_fields::<Pod>),
        ("PodDisruptionBudget", unknown_fields::<PodDisruptionBudget>),
        ("PodReferences", unknown_fields::<PodReferences>),
        ("ReplicaSet", unknown_fields::<ReplicaSet>),
        ("Secret", unknown_fields::<Secret>),
        ("Service", unknown_fields::<Service>),
        ("StatefulSet", unknown_fields::<StatefulSet>),
    ];
    for (name, unknown) in views {
        assert_eq!(unknown(), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn the_check_finds_a_slip() {
    #[derive(Debug, Default, serde::Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Slip<'a> {
        #[serde(borrow)]
        spec: SlipSpec<'a>,
    }
    #[derive(Debug, Default, serde::Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct SlipSpec<'a> {
        #[serde(borrow)]
        ip_familys: Vec<&'a str>,
    }
    impl<'a> View<'a> for Slip<'a> {
        const RESOURCE: crate::resources::StaticResource = crate::resources::SERVICE;
    }
    assert_eq!(unknown_fields::<Slip>(), ["Service.spec.ipFamilys"]);
    let _ = Slip::default().spec.ip_familys;
}

#[test]
fn null_and_missing_read_as_absent() {
    let object = Object(
        json!({ "spec": { "type": null, "ports": null, "clusterIPs": ["10.0.0.1"] }, "status": null }),
    );
    let service = Service::read(&object).expect("readable");
    assert_eq!((service.spec.kind, service.spec.ports.len()), ("", 0));
    assert_eq!(service.spec.cluster_ips, ["10.0.0.1"]);
}

#[test]
fn an_error_names_the_object_and_the_field() {
    let object = Object(json!({
        "metadata": { "namespace": "shop", "name": "web" },
        "spec": { "ports": [{ "port": 80 }, { "port": "http" }] },
    }));
    let error = Service::read(&object).expect_err("a port is a number");
    assert_eq!(error.source.path(), "spec.ports[1].port");
    let text = error.to_string();
    assert!(text.starts_with("Service shop/web cannot be read: field \"spec.ports[1].port\": "), "{text}");
}

#[test]
fn a_number_or_a_text() {
    let object = Object(json!({ "spec": { "ports": [{ "targetPort": 80 }, { "targetPort": "http" }, {}] } }));
    let service = Service::read(&object).expect("readable");
    let targets: Vec<_> = service.spec.ports.iter().map(|port| port.target_port).collect();
    assert_eq!(targets, [Some(IntOrString::Int(80)), Some(IntOrString::String("http")), None]);
}

#[test]
fn conditions_and_owners_are_read_from_any_kind() {
    let object = Object(json!({
        "metadata": { "ownerReferences": [
            { "uid": "a", "controller": null }, "not an owner", { "uid": "b", "controller": true },
        ] },
        "status": { "conditions": [7, { "type": "Ready", "status": "True" }] },
    }));
    assert!(is_condition_true(&object, "Ready"));
    assert!(!is_condition_true(&object, "Available"));
    assert_eq!(owners(&object).map(|owner| owner.uid).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(controller(&object).map(|owner| owner.uid), Some("b"));
}
