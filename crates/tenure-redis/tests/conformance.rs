//! The store keeps the promises that every store makes, on one server, however many parts it has.

mod support;

mod one_part {
    use tenure::store::conformance::Fixture;

    async fn empty() -> Fixture {
        super::support::empty(tenure_servers::Redis::shared().url(), 1).await
    }

    tenure::store_conformance!(empty);
}

mod eight_parts {
    use tenure::store::conformance::Fixture;

    async fn empty() -> Fixture {
        super::support::empty(tenure_servers::Redis::shared().url(), 8).await
    }

    tenure::store_conformance!(empty);
}
