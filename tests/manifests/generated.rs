//! Files of `manifests/` that the program prints, or that are copies of others. `UPDATE_MANIFESTS=1` writes them anew.

use std::fs;

use super::files::{root, text};
use super::tools::{overspill, silent};

const CONFIG: &str = "manifests/base/router/config";

/// Each file with the arguments that print it.
const PRINTED: [(&str, &str); 9] = [
    ("base/autoscaling/hpa-online/autoscalers.yaml", "--only hpa --preset online"),
    ("base/autoscaling/hpa-batch/autoscalers.yaml", "--only hpa --preset batch"),
    ("base/autoscaling/hpa-custom/autoscalers.yaml", "--only hpa --preset custom"),
    ("base/autoscaling/hpa-cost/autoscalers.yaml", "--only hpa --preset cost"),
    ("base/autoscaling/keda-prometheus/scaled-objects.yaml", "--only scaled-object --trigger prometheus"),
    ("base/autoscaling/keda-metrics-api/scaled-objects.yaml", "--only scaled-object --trigger metrics-api"),
    ("base/autoscaling/keda-external/scaled-objects.yaml", "--only scaled-object --trigger external"),
    ("base/autoscaling/keda-external-push/scaled-objects.yaml", "--only scaled-object --trigger external-push"),
    ("crds/definitions.yaml", "--definitions"),
];

fn printed(arguments: &str) -> String {
    let config = if arguments == "--definitions" { String::new() } else { format!(" --config {CONFIG}") };
    let given: Vec<&str> = config.split_whitespace().chain(arguments.split_whitespace()).collect();
    let text = silent(overspill().arg("manifests").args(&given));
    format!("# Written by `overspill manifests{config} {arguments}`.\n{text}")
}

/// Holds the file against `expected`, or writes it.
fn hold(file: &str, expected: &str) {
    let path = root().join("manifests").join(file);
    if std::env::var_os("UPDATE_MANIFESTS").is_some() {
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("manifests/ is writable");
        fs::write(&path, expected).expect("manifests/ is writable");
    }
    let update = "run the tests with UPDATE_MANIFESTS=1";
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), expected, "manifests/{file} is out of date: {update}");
}

#[test]
fn files_are_what_the_program_prints() {
    for (file, arguments) in PRINTED {
        hold(file, &printed(arguments));
    }
    for preset in ["online", "batch", "custom", "cost"] {
        for trigger in ["prometheus", "metrics-api", "external", "external-push"] {
            let arguments = format!("--only scaled-object --preset {preset} --trigger {trigger}");
            hold(&format!("helm/files/keda/{preset}-{trigger}.yaml"), &printed(&arguments));
        }
    }
}

/// Files of the chart, which can hold none that is outside of it, with those that they are copies of.
const COPIES: [(&str, &str); 31] = [
    ("helm/crds/definitions.yaml", "crds/definitions.yaml"),
    ("helm/files/config/settings.yaml", "base/router/config/settings.yaml"),
    ("helm/files/config/routes.yaml", "base/router/config/routes.yaml"),
    ("helm/files/config/pools.yaml", "base/router/config/pools.yaml"),
    ("helm/files/config/policies.yaml", "base/router/config/policies.yaml"),
    ("helm/files/canary/routes.yaml", "overlays/canary/config/routes.yaml"),
    ("helm/files/canary/pools.yaml", "overlays/canary/config/pools.yaml"),
    ("helm/files/local-model/policies.yaml", "overlays/production/config/policies.yaml"),
    ("helm/files/hpa-online.yaml", "base/autoscaling/hpa-online/autoscalers.yaml"),
    ("helm/files/hpa-batch.yaml", "base/autoscaling/hpa-batch/autoscalers.yaml"),
    ("helm/files/hpa-custom.yaml", "base/autoscaling/hpa-custom/autoscalers.yaml"),
    ("helm/files/hpa-cost.yaml", "base/autoscaling/hpa-cost/autoscalers.yaml"),
    ("helm/files/keda/service.yaml", "base/autoscaling/keda-external/service.yaml"),
    ("base/autoscaling/keda-external-push/service.yaml", "base/autoscaling/keda-external/service.yaml"),
    ("helm/files/prometheus-adapter.yaml", "base/autoscaling/prometheus-adapter/config.yaml"),
    ("helm/files/sidecar/deployment.yaml", "overlays/sidecar/deployment.yaml"),
    ("helm/files/sidecar/service.yaml", "overlays/sidecar/service.yaml"),
    ("helm/files/sidecar/service-account.yaml", "overlays/sidecar/service-account.yaml"),
    ("helm/files/sidecar/config/settings.yaml", "overlays/sidecar/config/settings.yaml"),
    ("helm/files/sidecar/config/routes.yaml", "overlays/sidecar/config/routes.yaml"),
    ("helm/files/sidecar/config/pools.yaml", "overlays/sidecar/config/pools.yaml"),
    ("helm/files/sidecar/config/policies.yaml", "overlays/sidecar/config/policies.yaml"),
    ("helm/files/rules.yaml", "base/monitoring/rules.yaml"),
    ("helm/files/service-monitor.yaml", "base/monitoring/service-monitor.yaml"),
    ("helm/files/dashboard.json", "base/monitoring/dashboard.json"),
    ("helm/files/vpa.yaml", "base/vpa/vpa.yaml"),
    ("helm/files/metrics-api/settings.yaml", "components/metrics-api/config/settings.yaml"),
    ("helm/files/metrics-api/service.yaml", "base/autoscaling/metrics-api/service.yaml"),
    ("helm/files/metrics-api/certificates.yaml", "base/autoscaling/metrics-api/certificates.yaml"),
    ("helm/files/metrics-api/api-services.yaml", "base/autoscaling/metrics-api/api-services.yaml"),
    ("helm/files/metrics-api/access.yaml", "base/autoscaling/metrics-api/access.yaml"),
];

#[test]
fn the_chart_has_copies_of_what_is_elsewhere() {
    // Those that are printed are first of all what the program prints.
    for (file, arguments) in PRINTED {
        hold(file, &printed(arguments));
    }
    for (copy, original) in COPIES {
        hold(copy, &text(format!("manifests/{original}")));
    }
}
