#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| retrial_fuzz::avro::check(bytes));
