//! The rules for cookies (RFC 6265bis, OWASP ASVS 5.0 V3.3, the OWASP cheat sheet on sessions)
//! on a site behind the layer, as a browser and an attacker meet it.

mod elsewhere;
mod jar;
mod kept;
mod site;
mod wire;

#[allow(dead_code, reason = "each test binary uses its part")]
#[path = "../support/mod.rs"]
mod support;
