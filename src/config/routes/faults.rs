//! Fault injection, checked as Istio's webhook checks it.

use http::StatusCode;

use crate::config::path::Path;
use crate::config::written::{HttpFault, HttpFaultAbort, HttpFaultDelay, Percent};
use crate::domain::{Abort, Fault, GrpcStatus, Percentage, parse_duration};

use super::Reader;

impl Reader<'_, '_> {
    pub(super) fn fault(&mut self, written: &HttpFault, path: &Path) -> Fault {
        if written.abort.is_none() && written.delay.is_none() && self.source.intact {
            self.wrong(path, "The fault is empty.", "Add `delay`, `abort` or both.");
        }
        let delay = written.delay.as_ref();
        let abort = written.abort.as_ref();
        Fault {
            delay: delay.and_then(|delay| self.delay(delay, &path.key("delay"))),
            abort: abort.and_then(|abort| self.abort(abort, &path.key("abort"))),
        }
    }

    fn delay(&mut self, written: &HttpFaultDelay, path: &Path) -> Option<(Percentage, std::time::Duration)> {
        if self.source.document.has(&path.key("exponentialDelay")) {
            let path = path.key("exponentialDelay");
            self.wrong(&path, "An exponential delay does not exist in Istio either.", "Write `fixedDelay`.");
        }
        // The older field counts whole percents, and only where the newer one is not there.
        let older = Percentage::new(f64::from(written.percent.clamp(0, 100))).unwrap_or_default();
        let share = written.percentage.as_ref().map(|share| self.share(share, &path.key("percentage")));
        let delay = written.fixed_delay.as_deref().and_then(|text| parse_duration(text).ok());
        delay.map(|delay| (share.unwrap_or(older), delay))
    }

    fn abort(&mut self, written: &HttpFaultAbort, path: &Path) -> Option<(Percentage, Abort)> {
        let share = written.percentage.as_ref().map(|share| self.share(share, &path.key("percentage")));
        let abort = match (written.http_status, &written.grpc_status) {
            (Some(status), _) => self.http_status(status, &path.key("httpStatus")).map(Abort::Http),
            (None, Some(name)) => {
                let status = GrpcStatus::parse(name);
                if status.is_none() {
                    let message = format!("`{name}` is no status of gRPC.");
                    self.wrong(&path.key("grpcStatus"), message, "Write its name, as `NOT_FOUND`.");
                }
                status.map(Abort::Grpc)
            }
            (None, None) => None,
        };
        abort.map(|abort| (share.unwrap_or_default(), abort))
    }

    /// Istio's own check lets 600 pass.
    fn http_status(&mut self, status: i32, path: &Path) -> Option<StatusCode> {
        let status = u16::try_from(status).ok().filter(|status| (200..=600).contains(status));
        if status.is_none() {
            self.wrong(path, "This is no status to answer.", "Write a status from 200 to 599.");
        }
        status.and_then(|status| StatusCode::from_u16(status).ok())
    }

    fn share(&mut self, written: &Percent, path: &Path) -> Percentage {
        let share = Percentage::new(written.value);
        if share.is_none() {
            let message = format!("{} is no percentage.", written.value);
            self.wrong(&path.key("value"), message, "Write 0, or a number from 0.0001 to 100.");
        }
        share.unwrap_or_default()
    }
}
