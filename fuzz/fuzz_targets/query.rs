//! The query of each list, cursors among its parameters.
#![no_main]

use axum::body::Body;
use http::{Method, Uri};
use orquiva_fuzz::product;

const LISTS: [&str; 5] = ["employees", "events", "deliveries", "webhooks", "departments"];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((list, query)) = data.split_first() else { return };
    let Ok(query) = str::from_utf8(query) else { return };
    let list = LISTS[*list as usize % LISTS.len()];
    for query in [query.to_owned(), format!("cursor={query}"), format!("types={query}&after=0")] {
        let path = format!("/v1/{list}?{query}");
        if path.parse::<Uri>().is_ok() {
            let request = product().request(Method::GET, &path);
            product().send(request.body(Body::empty()).expect("a request"));
        }
    }
});
