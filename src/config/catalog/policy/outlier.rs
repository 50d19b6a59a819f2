//! `outlierDetection`: which answers eject an endpoint, and for how long.

use std::num::NonZeroU32;
use std::time::Duration;

use super::Reader;
use crate::config::finding::remark;
use crate::config::path::Path;
use crate::config::settings::duration;
use crate::config::written;
use crate::domain::OutlierDetection;

/// Envoy's defaults.
const CONSECUTIVE: u32 = 5;
const INTERVAL: Duration = Duration::from_secs(10);
const BASE_EJECTION_TIME: Duration = Duration::from_secs(30);
const MAX_EJECTION_PERCENT: u32 = 10;

impl Reader<'_> {
    pub(super) fn outlier_detection(&mut self, written: &written::OutlierDetection, path: &Path) -> OutlierDetection {
        let path = path.key("outlierDetection");
        let local = written.consecutive_local_origin_failures.unwrap_or_default();
        if local > 0 && !written.split_external_local_origin_errors {
            let said = remark(
                "Failures of local origin are not counted apart here.",
                "Add `splitExternalLocalOriginErrors: true`, or take this out.",
            );
            self.wrong(&path.key("consecutiveLocalOriginFailures"), said);
        }
        // Zero stands for the default here, as it does where Istio translates the rule for Envoy.
        let apart = NonZeroU32::new(if local == 0 { CONSECUTIVE } else { local });
        let max_ejection_percent = self.percent(written.max_ejection_percent, &path.key("maxEjectionPercent"));
        OutlierDetection {
            consecutive_5xx_errors: NonZeroU32::new(written.consecutive_5xx_errors.unwrap_or(CONSECUTIVE)),
            consecutive_gateway_errors: written.consecutive_gateway_errors.and_then(NonZeroU32::new),
            consecutive_local_origin_failures: apart.filter(|_| written.split_external_local_origin_errors),
            interval: duration(written.interval.as_deref(), INTERVAL),
            base_ejection_time: duration(written.base_ejection_time.as_deref(), BASE_EJECTION_TIME),
            max_ejection_percent: if max_ejection_percent == 0 { MAX_EJECTION_PERCENT } else { max_ejection_percent },
            min_health_percent: self.percent(written.min_health_percent, &path.key("minHealthPercent")),
        }
    }

    fn percent(&mut self, written: i32, path: &Path) -> u32 {
        if !(0..=100).contains(&written) {
            self.wrong(path, remark(format!("{written} is out of range."), "Write a number from 0 to 100."));
        }
        u32::try_from(written).unwrap_or_default().min(100)
    }
}
