//! Amounts of resources as whole numbers, for sums and divisions over many pods and nodes.

use std::fmt;

use portolan_api::policy::ResourceList;
use portolan_api::quantity::Quantity;
use portolan_object::quantity::Quantity as Amount;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Name of a resource. The names that nearly every pod and node has take no memory of their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceName {
    /// `cpu`, in thousandths of a core, as are `requests.cpu` and `limits.cpu` of quotas.
    Cpu,
    /// `memory`, in bytes.
    Memory,
    /// `ephemeral-storage`, in bytes.
    EphemeralStorage,
    /// `pods`: the number of pods.
    Pods,
    /// Any other, such as `nvidia.com/gpu`, in whole units.
    Other(Box<str>),
}

impl ResourceName {
    /// The resource of a name.
    pub fn of(name: &str) -> Self {
        match name {
            "cpu" => Self::Cpu,
            "memory" => Self::Memory,
            "ephemeral-storage" => Self::EphemeralStorage,
            "pods" => Self::Pods,
            other => Self::Other(other.into()),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::EphemeralStorage => "ephemeral-storage",
            Self::Pods => "pods",
            Self::Other(name) => name,
        }
    }

    /// The number that stands for an amount of the resource; parts of a unit are rounded up.
    fn number(&self, amount: Amount) -> i64 {
        if self.is_cpu() { amount.milli() } else { amount.round_up() }
    }

    /// Whether it is CPU, also by its names in quotas.
    fn is_cpu(&self) -> bool {
        match self {
            Self::Cpu => true,
            Self::Other(name) => matches!(&**name, "requests.cpu" | "limits.cpu"),
            Self::Memory | Self::EphemeralStorage | Self::Pods => false,
        }
    }

    /// The amount that a number stands for.
    fn amount(&self, number: i64) -> Amount {
        let is_binary =
            |name: &str| name.ends_with("memory") || name.ends_with("storage") || name.contains("hugepages-");
        match self {
            name if name.is_cpu() => Amount::from_milli(number),
            name if is_binary(name.as_str()) => Amount::binary(number),
            _ => Amount::from(number),
        }
    }
}

/// Amounts by resource: thousandths of a core of CPU, whole units of everything else. Sums saturate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Amounts(Vec<(ResourceName, i64)>);

impl Amounts {
    /// The amounts of a list. An entry that is not a quantity is left out; API servers accept none.
    pub fn of_list(list: &ResourceList) -> Self {
        let mut amounts = Self::default();
        for (name, quantity) in list {
            amounts.insert(name, quantity);
        }
        amounts
    }

    fn insert(&mut self, name: &str, quantity: &Quantity) {
        if let Some(amount) = quantity.amount() {
            let name = ResourceName::of(name);
            let number = name.number(amount);
            *self.slot(name) = number;
        }
    }

    /// The same with `number` of a resource.
    #[must_use]
    pub fn with(mut self, name: ResourceName, number: i64) -> Self {
        *self.slot(name) = number;
        self
    }

    /// The amount of a resource; `None` if it is not listed.
    pub fn get(&self, name: &ResourceName) -> Option<i64> {
        self.0.iter().find(|(listed, _)| listed == name).map(|(_, number)| *number)
    }

    /// The amounts, ordered by resource.
    pub fn iter(&self) -> impl Iterator<Item = (&ResourceName, i64)> {
        self.0.iter().map(|(name, number)| (name, *number))
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn slot(&mut self, name: ResourceName) -> &mut i64 {
        let index = match self.0.binary_search_by(|(listed, _)| listed.cmp(&name)) {
            Ok(index) => index,
            Err(index) => {
                self.0.insert(index, (name, 0));
                index
            }
        };
        &mut self.0[index].1
    }

    /// Adds `other`, `times` times.
    pub fn add(&mut self, other: &Self, times: i64) {
        for (name, number) in other.iter() {
            let sum = self.slot(name.clone());
            *sum = sum.saturating_add(number.saturating_mul(times));
        }
    }

    /// Subtracts `other`, `times` times, from the resources that are listed here. The result can be negative.
    pub fn subtract(&mut self, other: &Self, times: i64) {
        for (name, number) in &mut self.0 {
            let taken = other.get(name).unwrap_or_default();
            *number = number.saturating_sub(taken.saturating_mul(times));
        }
    }

    /// Raises each resource to the amount in `other`, if that is more.
    pub fn raise_to(&mut self, other: &Self) {
        for (name, number) in other.iter() {
            let present = self.slot(name.clone());
            *present = (*present).max(number);
        }
    }

    /// Adds the resources of `other` that are not listed here.
    pub fn complete_from(&mut self, other: &Self) {
        for (name, number) in other.iter() {
            if self.get(name).is_none() {
                *self.slot(name.clone()) = number;
            }
        }
    }

    /// How many times `request` fits. Resources with an amount of zero or less in `request` do not count; one that is not
    /// listed here does not fit at all. `i64::MAX` if nothing limits the number.
    pub fn holds(&self, request: &Self) -> i64 {
        let limits = request.iter().filter(|(_, wanted)| *wanted > 0);
        let times = limits.map(|(name, wanted)| self.get(name).unwrap_or_default().max(0) / wanted);
        times.min().unwrap_or(i64::MAX)
    }

    /// The amounts as quantities in canonical notation.
    pub fn to_list(&self) -> ResourceList {
        let quantity = |name: &ResourceName, number| Quantity::from(name.amount(number));
        self.iter().map(|(name, number)| (name.as_str().to_owned(), quantity(name, number))).collect()
    }

    /// The same without the resources of which there is nothing.
    #[must_use]
    pub fn without_zeros(mut self) -> Self {
        self.0.retain(|(_, number)| *number != 0);
        self
    }
}

/// A `ResourceList`.
impl<'de> Deserialize<'de> for Amounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor;

        impl<'de> Visitor<'de> for ListVisitor {
            type Value = Amounts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("quantities by resource name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Amounts, A::Error> {
                let mut amounts = Amounts::default();
                while let Some((name, quantity)) = map.next_entry::<String, Quantity>()? {
                    amounts.insert(&name, &quantity);
                }
                Ok(amounts)
            }

            fn visit_unit<E>(self) -> Result<Amounts, E> {
                Ok(Amounts::default())
            }
        }

        deserializer.deserialize_any(ListVisitor)
    }
}

/// The numbers by resource name.
impl Serialize for Amounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, number) in self.iter() {
            map.serialize_entry(name.as_str(), &number)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn amounts(value: serde_json::Value) -> Amounts {
        serde_json::from_value(value).expect("amounts")
    }

    #[test]
    fn quantities_become_whole_numbers_and_back() {
        let read = amounts(json!({
            "cpu": "1500m", "memory": "1Gi", "pods": 110, "nvidia.com/gpu": "2", "hugepages-2Mi": "4Mi", "odd": true
        }));
        let numbers: Vec<(&str, i64)> = read.iter().map(|(name, number)| (name.as_str(), number)).collect();
        let want = [
            ("cpu", 1500),
            ("memory", 1 << 30),
            ("pods", 110),
            ("hugepages-2Mi", 4 << 20),
            ("nvidia.com/gpu", 2),
        ];
        assert_eq!(numbers, want);
        let written = serde_json::to_value(read.to_list()).expect("JSON");
        let want = json!({
            "cpu": "1500m", "memory": "1Gi", "pods": "110", "nvidia.com/gpu": "2", "hugepages-2Mi": "4Mi"
        });
        assert_eq!(written, want);
    }

    #[test]
    fn a_request_fits_as_often_as_its_scarcest_resource_allows() {
        let room = amounts(json!({ "cpu": "2", "memory": "1Gi", "pods": 10 }));
        for (request, want) in [
            (json!({ "cpu": "500m" }), 4),
            (json!({ "cpu": "500m", "memory": "512Mi" }), 2),
            (json!({ "cpu": "3" }), 0),
            (json!({ "nvidia.com/gpu": 1 }), 0),
            (json!({ "nvidia.com/gpu": 0 }), i64::MAX),
            (json!({}), i64::MAX),
        ] {
            assert_eq!(room.holds(&amounts(request.clone())), want, "{request}");
        }
    }

    #[test]
    fn sums_saturate() {
        let huge = amounts(json!({ "memory": "8Ei" }));
        let mut sum = huge.clone();
        sum.add(&huge, i64::MAX);
        assert_eq!(sum.get(&ResourceName::Memory), Some(i64::MAX));
        sum.subtract(&huge, 3);
        assert!(sum.get(&ResourceName::Memory).is_some_and(|left| left <= 0));
    }
}
