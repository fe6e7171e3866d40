//! The common parts of every kind: group, version, kind, plural, scope and metadata.
//!
//! The kinds are declared with the `kind!` macro, which writes `apiVersion` and `kind` for them, so that a typed
//! object cannot carry a wrong one.

use std::fmt;
use std::marker::PhantomData;

use portolan_object::{GroupVersionKind, Object, ObjectKey};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::meta::ObjectMeta;

/// A typed Kubernetes object.
pub trait Kind: Serialize + DeserializeOwned + Clone + fmt::Debug + Send + Sync + 'static {
    /// API group.
    const GROUP: &'static str;
    /// The version that these types speak; for several versions with one schema, the stored one.
    const VERSION: &'static str;
    /// Kind.
    const KIND: &'static str;
    /// Resource name in paths.
    const PLURAL: &'static str;
    /// Whether objects live in a namespace.
    const NAMESPACED: bool;

    /// The object's metadata.
    fn metadata(&self) -> &ObjectMeta;

    /// The object's metadata, mutable.
    fn metadata_mut(&mut self) -> &mut ObjectMeta;

    /// Group, version and kind.
    fn gvk() -> GroupVersionKind {
        GroupVersionKind::new(Self::GROUP, Self::VERSION, Self::KIND)
    }

    /// Namespace and name.
    fn key(&self) -> ObjectKey {
        ObjectKey::namespaced(&*self.metadata().namespace, &*self.metadata().name)
    }

    /// The object as a tree.
    fn to_object(&self) -> Object {
        Object::from_typed(self).expect("API types hold nothing that JSON cannot express")
    }

    /// Reads the object from a tree.
    ///
    /// # Errors
    /// When a field has the wrong type, or group or kind are not this one's.
    fn from_object(object: &Object) -> Result<Self, serde_json::Error> {
        object.to_typed()
    }
}

/// Declares a kind: the struct with its envelope, and its [`Kind`] implementation.
macro_rules! kind {
    (
        $(#[$outer:meta])*
        $name:ident, $group:literal, $version:literal, $plural:literal, $scope:ident {
            $($(#[$inner:meta])* $field:ident: $type:ty),+ $(,)?
        }
    ) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name {
            /// Group and version of this object.
            #[schemars(transform = crate::schema::optional)]
            pub api_version: crate::kind::ApiVersion<$name>,
            /// Kind of this object.
            #[schemars(transform = crate::schema::optional)]
            pub kind: crate::kind::KindName<$name>,
            /// Standard metadata.
            #[schemars(transform = crate::schema::optional)]
            pub metadata: crate::meta::ObjectMeta,
            $($(#[$inner])* pub $field: $type,)+
        }

        impl crate::kind::Kind for $name {
            const GROUP: &'static str = $group;
            const VERSION: &'static str = $version;
            const KIND: &'static str = stringify!($name);
            const PLURAL: &'static str = $plural;
            const NAMESPACED: bool = crate::kind::Scope::$scope.is_namespaced();

            fn metadata(&self) -> &crate::meta::ObjectMeta {
                &self.metadata
            }

            fn metadata_mut(&mut self) -> &mut crate::meta::ObjectMeta {
                &mut self.metadata
            }
        }
    };
}
pub(crate) use kind;

/// Where objects of a kind live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// In a namespace.
    Namespaced,
    /// Once per cluster.
    Cluster,
}

impl Scope {
    pub(crate) const fn is_namespaced(self) -> bool {
        matches!(self, Self::Namespaced)
    }
}

/// The `apiVersion` of `T`: takes no space, is written always, and refuses another group when read.
///
/// Another version of the same group is accepted, because the types of this crate cover all served versions.
pub struct ApiVersion<T>(PhantomData<fn() -> T>);

/// The `kind` of `T`: takes no space, is written always, and refuses another kind when read.
pub struct KindName<T>(PhantomData<fn() -> T>);

/// The traits that `derive` would give only for a `T` that has them too.
macro_rules! marker_traits {
    ($name:ident) => {
        impl<T> Clone for $name<T> {
            fn clone(&self) -> Self {
                *self
            }
        }
        impl<T> Copy for $name<T> {}
        impl<T> Default for $name<T> {
            fn default() -> Self {
                Self(PhantomData)
            }
        }
        impl<T> PartialEq for $name<T> {
            fn eq(&self, _: &Self) -> bool {
                true
            }
        }
        impl<T> JsonSchema for $name<T> {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string" })
            }
        }
    };
}
marker_traits!(ApiVersion);
marker_traits!(KindName);

impl<T: Kind> fmt::Debug for ApiVersion<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", T::GROUP, T::VERSION)
    }
}

impl<T: Kind> fmt::Debug for KindName<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::KIND)
    }
}

impl<T: Kind> Serialize for ApiVersion<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:?}"))
    }
}

impl<T: Kind> Serialize for KindName<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(T::KIND)
    }
}

impl<'de, T: Kind> Deserialize<'de> for ApiVersion<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(self::GroupOf::<T>(PhantomData)).map(|()| Self::default())
    }
}

impl<'de, T: Kind> Deserialize<'de> for KindName<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameOf::<T>(PhantomData)).map(|()| Self::default())
    }
}

struct GroupOf<T>(PhantomData<T>);

impl<T: Kind> Visitor<'_> for GroupOf<T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a version of {}", T::GROUP)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        match text.split_once('/') {
            Some((group, _)) if group == T::GROUP => Ok(()),
            _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }
}

struct NameOf<T>(PhantomData<T>);

impl<T: Kind> Visitor<'_> for NameOf<T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the kind {}", T::KIND)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        if text == T::KIND { Ok(()) } else { Err(E::invalid_value(de::Unexpected::Str(text), &self)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::about::ClusterProperty;

    #[test]
    fn the_envelope_is_always_written() {
        let property = ClusterProperty::default();
        assert_eq!(
            property.to_object().0,
            json!({ "apiVersion": "about.k8s.io/v1beta1", "kind": "ClusterProperty", "metadata": {}, "spec": { "value": "" } })
        );
    }

    #[test]
    fn only_the_own_kind_is_read() {
        let read = |api_version: &str, kind: &str| {
            ClusterProperty::from_object(&Object(json!({ "apiVersion": api_version, "kind": kind })))
        };
        assert!(read("about.k8s.io/v1beta1", "ClusterProperty").is_ok());
        assert!(read("about.k8s.io/v1alpha1", "ClusterProperty").is_ok(), "another version of the group");
        assert!(read("v1", "ClusterProperty").is_err());
        assert!(read("about.k8s.io/v1beta1", "Cluster").is_err());
    }
}
