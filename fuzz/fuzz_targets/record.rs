//! Whatever a store gives back as a record, it is read whole or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tenure::record::Record;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(record) = Record::decode(bytes) {
        assert_eq!(Record::decode(&record.encode()).as_ref(), Ok(&record));
    }
});
