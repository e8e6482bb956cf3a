//! `Accept-Language`.
#![no_main]

use orquiva_core::Language;

libfuzzer_sys::fuzz_target!(|header: &str| {
    let alone = Language::accepted(header);
    // What names none of our languages changes nothing.
    assert_eq!(Language::accepted(&format!("{header},fr;q=0.5")), alone);
});
