//! Any bytes as documents: read, judged, shown and compiled without a panic, and judged alike twice.

#![no_main]

use libfuzzer_sys::fuzz_target;
use overspill::config::{AskedFor, Overrides, SourceFile, admit, load};
use overspill::snapshot::{Resolved, compile};

fuzz_target!(|bytes: &[u8]| {
    let files = [SourceFile { name: "fuzz.yaml".to_owned(), bytes: bytes.to_vec() }];
    admit(&files);
    let labels = || [("istio".to_owned(), "ingressgateway".to_owned())].into();
    let gateway = AskedFor { gateway: Some(labels()), ..AskedFor::default() };
    for viewpoint in [None, Some(gateway)] {
        let overrides = Overrides { viewpoint, ..Overrides::default() };
        let loaded = load(&files, &overrides);
        assert_eq!(loaded.problems, load(&files, &overrides).problems, "one configuration has one verdict");
        if let Some(checked) = loaded.checked {
            overspill::config::dump(&checked);
            let snapshot = compile(&checked, &Resolved::assumed(), None);
            compile(&checked, &Resolved::assumed(), Some(&snapshot));
        }
    }
});
