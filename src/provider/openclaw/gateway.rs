//! A gateway of OpenClaw's that a task names: its runtime configuration, and what of it goes into the wrapper.

use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// The port of a gateway that names none. OpenClaw's own default.
const DEFAULT_PORT: u16 = 18789;

/// The task's settings for OpenClaw's runtime.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Runtime {
    /// `local`, `gateway`, or what else was written.
    pub(super) mode: String,
    /// The gateway; nothing unless the mode is `gateway`, because a token must not be written for any other.
    pub(super) pin: GatewayPin,
    /// What is wrong with it. Constant words: a value may be a token.
    pub(super) warning: Option<&'static str>,
}

/// Where the gateway is and how one gets in. What is empty is inherited from the user's configuration.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct GatewayPin {
    #[serde(deserialize_with = "null_is_default")]
    pub(super) host: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) port: u16,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) token: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) tls: bool,
}

/// The token stays out of logs and messages, whoever prints the pin.
impl fmt::Debug for GatewayPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = if self.token.is_empty() { "" } else { "***" };
        f.debug_struct("GatewayPin")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("token", &token)
            .field("tls", &self.tls)
            .finish()
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    #[serde(deserialize_with = "null_is_default")]
    mode: String,
    #[serde(deserialize_with = "null_is_default")]
    gateway: GatewayPin,
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads the runtime configuration of a task.
pub(super) fn read(given: Option<&Value>) -> Runtime {
    let Some(given) = given else { return Runtime::default() };
    // Some hand the object over as a text.
    let written = match given {
        Value::String(text) if text.trim().is_empty() => return Runtime::default(),
        Value::String(text) => serde_json::from_str(text),
        Value::Object(_) => serde_json::from_value(given.clone()),
        _ => Err(serde::de::Error::custom("no object")),
    };
    let Ok(Written { mode, gateway }) = written else {
        let warning = Some("the task's runtime_config for OpenClaw cannot be understood and is left out");
        return Runtime { warning, ..Runtime::default() };
    };
    match mode.as_str() {
        "gateway" => Runtime { mode, pin: gateway, warning: None },
        "" | "local" => Runtime { mode, ..Runtime::default() },
        _ => {
            let warning = Some(
                "the task's runtime_config for OpenClaw has an unrecognized mode: it runs as `local`, \
                 without a gateway",
            );
            Runtime { mode, pin: GatewayPin::default(), warning }
        }
    }
}

impl GatewayPin {
    fn is_empty(&self) -> bool {
        *self == GatewayPin::default()
    }

    /// The `gateway` section of the wrapper; only what is set. Neither 2026.6.11 nor 2026.9.6 knows a `host`, and both
    /// want an object for `tls`: a gateway elsewhere is a `remote` with an address.
    pub(super) fn section(&self) -> Option<Value> {
        if self.is_empty() {
            return None;
        }
        let mut section = json!({});
        if self.port != 0 {
            section["port"] = self.port.into();
        }
        if !self.token.is_empty() {
            section["auth"] = json!({"mode": "token", "token": self.token});
        }
        if !self.host.is_empty() || self.tls {
            section["mode"] = "remote".into();
            section["remote"] = json!({ "url": self.address() });
            if !self.token.is_empty() {
                section["remote"]["token"] = self.token.as_str().into();
            }
        }
        Some(section)
    }

    fn address(&self) -> String {
        let host = match self.host.as_str() {
            "" => "127.0.0.1".to_owned(),
            host if host.contains(':') && !host.starts_with('[') => format!("[{host}]"),
            host => host.to_owned(),
        };
        let scheme = if self.tls { "wss" } else { "ws" };
        let port = if self.port == 0 { DEFAULT_PORT } else { self.port };
        format!("{scheme}://{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(host: &str, port: u16, token: &str, tls: bool) -> GatewayPin {
        GatewayPin { host: host.into(), port, token: token.into(), tls }
    }

    #[test]
    fn a_runtime_configuration_is_read_or_left_out() {
        let full = json!({"host": "h", "port": 1, "token": "t", "tls": true});
        let nothing = GatewayPin::default;
        for (given, mode, expected, warns) in [
            (Value::Null, "", nothing(), true),
            (json!(""), "", nothing(), false),
            (json!("{broken"), "", nothing(), true),
            (json!([]), "", nothing(), true),
            (json!({}), "", nothing(), false),
            (json!({"mode": "gateway", "gateway": full}), "gateway", pin("h", 1, "t", true), false),
            (json!(r#"{"mode":"gateway","gateway":{"host":"h"}}"#), "gateway", pin("h", 0, "", false), false),
            (json!({"mode": "gateway"}), "gateway", nothing(), false),
            (json!({"mode": "gateway", "gateway": null}), "gateway", nothing(), false),
            (json!({"mode": "gateway", "gateway": {"port": "x"}}), "", nothing(), true),
            (json!({"mode": "local", "gateway": full}), "local", nothing(), false),
            (json!({"mode": "gatway", "gateway": full}), "gatway", nothing(), true),
        ] {
            let runtime = read(Some(&given));
            assert_eq!((runtime.mode.as_str(), &runtime.pin), (mode, &expected), "{given}");
            assert_eq!(runtime.warning.is_some(), warns, "{given}");
        }
        assert_eq!(read(None), Runtime::default());
    }

    #[test]
    fn only_what_is_set_is_pinned() {
        for (pin, expected) in [
            (
                pin("h", 7, "t", true),
                json!({"port": 7, "auth": {"mode": "token", "token": "t"}, "mode": "remote",
                    "remote": {"url": "wss://h:7", "token": "t"}}),
            ),
            (
                pin("::1", 7, "", false),
                json!({"port": 7, "mode": "remote", "remote": {"url": "ws://[::1]:7"}}),
            ),
            (pin("", 7, "", false), json!({"port": 7})),
            (pin("h", 0, "", false), json!({"mode": "remote", "remote": {"url": "ws://h:18789"}})),
            (pin("", 0, "t", false), json!({"auth": {"mode": "token", "token": "t"}})),
        ] {
            assert_eq!(pin.section(), Some(expected));
        }
        assert_eq!(GatewayPin::default().section(), None);
    }

    #[test]
    fn the_token_is_not_printed() {
        let shown = format!("{:?}", pin("example.test", 1, "tok-secret", false));
        assert!(shown.contains("example.test") && !shown.contains("tok-secret"), "{shown}");
        let runtime = read(Some(&json!({"mode": "gateway", "gateway": {"token": "tok-secret"}})));
        assert!(!format!("{runtime:?}").contains("tok-secret"));
    }
}
