//! `rateLimits` of a `RoutePolicy`.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::config::finding::{Findings, OWN_SCHEMA, remark};
use crate::config::path::Path;
use crate::config::written::{self, Sourced};
use crate::domain::{RateLimit, RateLimitKey, format_duration, parse_duration};

/// What a limit is called where it is not named, as in the examples of the `RateLimit` header fields' draft.
const DEFAULT_NAME: &str = "default";

/// The limits, each that can be used; the others are reported.
pub(super) fn read(source: &Sourced<written::RoutePolicy>, findings: &mut Findings) -> Vec<RateLimit> {
    let mut limits: Vec<RateLimit> = Vec::new();
    for (at, written) in source.spec.rate_limits.iter().enumerate() {
        let path = Path::spec().key("rateLimits").index(at);
        let mut reader = Reader { source, written, path: &path, findings };
        let Some(limit) = reader.limit() else { continue };
        if limits.iter().any(|known| known.name == limit.name) {
            reader.wrong(
                "name",
                &format!("There is a rate limit called `{}` here already.", limit.name),
                "Give each limit of a policy a name of its own.",
            );
            continue;
        }
        limits.push(limit);
    }
    limits
}

struct Reader<'a> {
    source: &'a Sourced<written::RoutePolicy>,
    written: &'a written::RateLimit,
    path: &'a Path,
    findings: &'a mut Findings,
}

impl Reader<'_> {
    fn wrong(&mut self, field: &str, message: &str, cure: &str) {
        let place = self.source.document.place(&self.path.key(field));
        self.findings.error(OWN_SCHEMA, place, remark(message, cure));
    }

    fn limit(&mut self) -> Option<RateLimit> {
        let (name, window, key) = (self.name(), self.window(), self.key());
        // Where the table has no number, it has said so.
        let requests = NonZeroU32::new(self.written.requests)?;
        let burst = self.written.burst.and_then(NonZeroU32::new).unwrap_or(requests);
        let limit = RateLimit { name: name?, requests, window: window?, burst, key: key.ok()? };
        if limit.fill_time() > RateLimit::LONGEST {
            let message = format!(
                "Its bucket of {} requests would take more than {} to fill.",
                limit.burst,
                format_duration(RateLimit::LONGEST)
            );
            self.wrong(
                "requests",
                &message,
                "Allow more requests in each window, a shorter window, or a smaller burst.",
            );
            return None;
        }
        Some(limit)
    }

    /// Names stand in header fields and metric labels.
    fn name(&mut self) -> Option<Box<str>> {
        let name = self.written.name.as_deref().unwrap_or(DEFAULT_NAME);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let plain = (1..=63).contains(&name.len()) && name.bytes().all(is_plain);
        if !plain {
            self.wrong(
                "name",
                &format!("`{name}` is no name of a rate limit."),
                "Write up to 63 letters, digits, `-`, `.` and `_`.",
            );
        }
        plain.then(|| name.into())
    }

    fn window(&mut self) -> Option<Duration> {
        let window = match (self.written.unit.as_deref(), self.written.window.as_deref()) {
            (Some("SECOND"), _) => Some(Duration::from_secs(1)),
            (Some("MINUTE"), _) => Some(Duration::from_mins(1)),
            (Some("HOUR"), _) => Some(Duration::from_hours(1)),
            (Some("DAY"), _) => Some(Duration::from_hours(24)),
            (_, Some(text)) => parse_duration(text).ok(),
            (_, None) => None,
        };
        if window.is_none() && self.source.intact {
            self.wrong(
                "unit",
                "A rate limit needs the time that its requests are for.",
                "Add `unit: SECOND`, MINUTE, HOUR or DAY, or a `window` such as 10s.",
            );
        }
        window
    }

    /// The key, `None` for one bucket; an error where it is wrong, which has been reported.
    fn key(&mut self) -> Result<Option<RateLimitKey>, ()> {
        let Some(key) = &self.written.key else { return Ok(None) };
        match (&key.http_header_name, key.use_source_ip) {
            (Some(name), _) => {
                let header = name.parse().ok().map(RateLimitKey::Header);
                if header.is_none() {
                    self.wrong(
                        "key",
                        &format!("`{name}` is no header's name."),
                        "Name the header whose values are counted apart, as `x-user-id`.",
                    );
                }
                header.map(Some).ok_or(())
            }
            (None, true) => Ok(Some(RateLimitKey::SourceIp)),
            (None, false) => {
                if self.source.intact {
                    let cure = "Write `httpHeaderName: NAME` or `useSourceIp: true`, or leave `key` out.";
                    self.wrong("key", "The key says nothing to count by.", cure);
                }
                Err(())
            }
        }
    }
}
