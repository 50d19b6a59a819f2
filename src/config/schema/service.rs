//! The fields of Kubernetes' `Service`. What they hold is the API server's to check: only unknown ones are looked for.
//!
//! Facts: Kubernetes' core/v1, release 1.34. A later one may have more, so that an unknown field is a warning.

use super::{METADATA, Shape, Table, field};
use crate::config::document::Document;
use crate::config::finding::{Findings, NO_EFFECT, remark};
use crate::config::path::Path;
use crate::config::suggest::did_you_mean;
use crate::config::yaml::{Node, Value};

static SERVICE: Table = Table {
    fields: &[
        field("apiVersion", Shape::Any),
        field("kind", Shape::Any),
        field("metadata", Shape::Object(&METADATA)),
        field("spec", Shape::Object(&SPEC)),
        field("status", Shape::Any),
    ],
    one_of: &[],
};

static SPEC: Table = Table {
    fields: &[
        field("allocateLoadBalancerNodePorts", Shape::Any),
        field("clusterIP", Shape::Any),
        field("clusterIPs", Shape::Any),
        field("externalIPs", Shape::Any),
        field("externalName", Shape::Any),
        field("externalTrafficPolicy", Shape::Any),
        field("healthCheckNodePort", Shape::Any),
        field("internalTrafficPolicy", Shape::Any),
        field("ipFamilies", Shape::Any),
        field("ipFamilyPolicy", Shape::Any),
        field("loadBalancerClass", Shape::Any),
        field("loadBalancerIP", Shape::Any),
        field("loadBalancerSourceRanges", Shape::Any),
        field("ports", Shape::List(&PORT)),
        field("publishNotReadyAddresses", Shape::Any),
        field("selector", Shape::Any),
        field("sessionAffinity", Shape::Any),
        field("sessionAffinityConfig", Shape::Any),
        field("trafficDistribution", Shape::Any),
        field("type", Shape::Any),
    ],
    one_of: &[],
};

static PORT: Shape = Shape::Object(&Table {
    fields: &[
        field("appProtocol", Shape::Any),
        field("name", Shape::Any),
        field("nodePort", Shape::Any),
        field("port", Shape::Any),
        field("protocol", Shape::Any),
        field("targetPort", Shape::Any),
    ],
    one_of: &[],
});

/// Reports each field of a `Service` that Kubernetes does not know.
pub(in crate::config) fn report_unknown(document: &Document, findings: &mut Findings) {
    report((document, findings), &document.root, &Shape::Object(&SERVICE), &Path::root());
}

fn report((document, findings): (&Document, &mut Findings), node: &Node, shape: &Shape, path: &Path) {
    match (shape, &node.value) {
        (Shape::List(item), Value::List(items)) => {
            for (at, node) in items.iter().enumerate() {
                report((document, findings), node, item, &path.index(at));
            }
        }
        (Shape::Object(table), Value::Map(entries)) => {
            for entry in entries {
                let path = path.key(&entry.key);
                if let Some(field) = table.fields.iter().find(|field| field.name == entry.key) {
                    report((document, findings), &entry.node, &field.shape, &path);
                } else {
                    let names = table.fields.iter().map(|field| field.name);
                    let cure = did_you_mean(&entry.key, names, || "Take it out.".to_owned());
                    let message = format!(
                        "`{}` is an unknown field of a Service, which Kubernetes rejects when it is asked to be strict.",
                        entry.key
                    );
                    findings.warning(NO_EFFECT, document.place_of_key(&path), remark(message, cure));
                }
            }
        }
        _ => {}
    }
}
