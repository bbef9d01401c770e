//! The store keeps the promises that every store makes.

mod support;

mod one_partition {
    use tenure::store::conformance::Fixture;

    async fn empty() -> Fixture {
        crate::support::fixture(1).await
    }

    tenure::store_conformance!(empty);
}

mod sixteen_partitions {
    use tenure::store::conformance::Fixture;

    async fn empty() -> Fixture {
        crate::support::fixture(16).await
    }

    tenure::store_conformance!(empty);
}
