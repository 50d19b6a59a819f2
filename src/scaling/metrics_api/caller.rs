//! Who asks.

use http::HeaderMap;

use super::failure::Failure;
use crate::tls::Judged;

/// Where Kubernetes' API server says who asks it (`--requestheader-username-headers`, `--requestheader-group-headers`).
const USER: &str = "x-remote-user";
const GROUP: &str = "x-remote-group";

/// Whom Kubernetes' API server asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) user: String,
    pub(super) groups: Vec<String>,
}

impl Caller {
    /// Whom the client with a certificate that was `judged` so asks for. Its word is taken where the certificate is of the front
    /// proxy's authority and has one of the names `allowed`, any where there are none.
    pub(super) fn of(judged: &Judged, allowed: &[Box<str>], fields: &HeaderMap) -> Result<Self, Failure> {
        let common_name = match judged {
            Judged::Trusted { common_name } => common_name,
            Judged::Refused(why) => {
                return Err(Failure::unknown_caller(format!(
                    "the client is not Kubernetes' front proxy: {why}. Ask through the API server, whose \
                     requestheader-client-ca-file must be the `clientCa` of `scaling.metricsApi`"
                )));
            }
        };
        if !allowed.is_empty() && !allowed.iter().any(|name| **name == **common_name) {
            return Err(Failure::unknown_caller(format!(
                "the client is not Kubernetes' front proxy: its certificate is for `{common_name}`, which is none of the \
                 `allowedNames` of `scaling.metricsApi`"
            )));
        }
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let user = fields.get(USER).map(text).unwrap_or_default();
        if user.is_empty() {
            let message = "the front proxy does not say who asks: X-Remote-User is empty";
            return Err(Failure::forbidden(message));
        }
        Ok(Self { user, groups: fields.get_all(GROUP).iter().map(text).collect() })
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn only_the_front_proxy_is_believed() {
        let trusted = |name: &str| Judged::Trusted { common_name: name.to_owned() };
        let refused = Judged::Refused("it shows no certificate".to_owned());
        let both: &[Box<str>] = &["front-proxy-client".into(), "aggregator".into()];
        for (judged, allowed, user, expected) in [
            (trusted("front-proxy-client"), both, "hpa", None),
            (trusted("anybody"), &[][..], "hpa", None),
            (trusted("anybody"), both, "hpa", Some(StatusCode::UNAUTHORIZED)),
            (trusted(""), both, "hpa", Some(StatusCode::UNAUTHORIZED)),
            (refused, &[][..], "hpa", Some(StatusCode::UNAUTHORIZED)),
            (trusted("aggregator"), both, "", Some(StatusCode::FORBIDDEN)),
        ] {
            let mut fields = HeaderMap::new();
            fields.insert(USER, user.parse().expect("a value"));
            for group in ["one", "two"] {
                fields.append(GROUP, group.parse().expect("a value"));
            }
            let found = Caller::of(&judged, allowed, &fields);
            assert_eq!(found.as_ref().err().map(|failure| failure.status), expected, "{judged:?}");
            if let Ok(caller) = found {
                assert_eq!((caller.user, caller.groups.len()), (user.to_owned(), 2));
            }
        }
    }
}
