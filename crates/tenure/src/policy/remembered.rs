//! `remembered` in files: the limits, or `false` when it is not offered. TOML has no null.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Limits;

#[expect(clippy::ref_option, reason = "serde calls it so")]
pub(super) fn serialize<S: Serializer>(limits: &Option<Limits>, to: S) -> Result<S::Ok, S::Error> {
    match limits {
        Some(limits) => limits.serialize(to),
        None => to.serialize_bool(false),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Limits>, D::Error> {
    from.deserialize_any(LimitsOrFalse)
}

struct LimitsOrFalse;

impl<'de> Visitor<'de> for LimitsOrFalse {
    type Value = Option<Limits>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("limits, or false when being remembered is not offered")
    }

    fn visit_bool<E: Error>(self, offered: bool) -> Result<Self::Value, E> {
        if offered {
            return Err(E::custom("say the limits, or false"));
        }
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
        Limits::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::{Policy, Preset};

    #[test]
    fn a_policy_that_remembers_nobody_reads_back_as_one() {
        let strict = Preset::AsvsL3.policy();
        assert_eq!(strict.remembered, None);
        let text = serde_json::to_string(&strict).unwrap();
        assert!(text.contains("\"remembered\":false"));
        assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), strict);
        let absent: Policy = serde_json::from_str("{}").unwrap();
        assert_eq!(absent, Policy::default());
        assert!(serde_json::from_str::<Policy>(r#"{"remembered":true}"#).is_err());
        assert!(serde_json::from_str::<Policy>(r#"{"remembered":{"idle":1}}"#).is_err());
    }
}
