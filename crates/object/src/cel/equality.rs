//! Whether two values are equal, with every comparison counted.

use super::evaluate::Evaluation;
use super::failure::Failure;
use super::{Key, Value, optionals};

impl Evaluation<'_> {
    pub(super) fn equal(&mut self, left: &Value, right: &Value) -> Result<bool, Failure> {
        match (left, right) {
            (Value::List(left), Value::List(right)) => {
                self.meter.spend(1)?;
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (left, right) in left.iter().zip(right.iter()) {
                    if !self.equal(left, right)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Value::Map(left), Value::Map(right)) => {
                self.meter.spend(1)?;
                if left.map.len() != right.map.len() {
                    return Ok(false);
                }
                for (key, value) in left.map.iter() {
                    if let Key::String(text) = key {
                        self.meter.spend_text(text.len())?;
                    }
                    let Some(other) = right.get(key) else { return Ok(false) };
                    if !self.equal(value, other)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Value::String(left), Value::String(right)) => {
                self.meter.spend(1 + left.len().min(right.len()) as u64 / 10)?;
                Ok(left == right)
            }
            (Value::Bytes(left), Value::Bytes(right)) => {
                self.meter.spend(1 + left.len().min(right.len()) as u64 / 10)?;
                Ok(left == right)
            }
            (Value::Opaque(_), Value::Opaque(_)) => {
                self.meter.spend(1)?;
                match (optionals::content(left), optionals::content(right)) {
                    (Ok(Some(left)), Ok(Some(right))) => self.equal(left, right),
                    (Ok(left), Ok(right)) => Ok(left.is_none() && right.is_none()),
                    _ => Ok(left == right),
                }
            }
            _ => {
                self.meter.spend(1)?;
                Ok(left == right)
            }
        }
    }
}
