-- What a store consists of. {schema} stands for the schema's name, quoted.

CREATE TABLE {schema}.meta (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version integer NOT NULL,
    readable_by integer NOT NULL,
    partitions integer NOT NULL,
    epoch bigint NOT NULL,
    store bytea NOT NULL,
    key_check bytea NOT NULL,
    -- What the store is in a move of its sessions, and until when nobody writes, as in each partition.
    phase bytea,
    barrier bigint NOT NULL DEFAULT 0
);

-- One row for each partition: whoever writes in the partition locks it first. No index but the
-- key, and much room in each page, so that a new version stays beside the old one (HOT).
CREATE TABLE {schema}.partitions (
    sequence bigint NOT NULL DEFAULT 0,
    kept_from bigint NOT NULL DEFAULT 0,
    guests bigint NOT NULL DEFAULT 0,
    latest bigint NOT NULL DEFAULT 0,
    holder bigint NOT NULL DEFAULT 0,
    held_until bigint NOT NULL DEFAULT 0,
    barrier bigint NOT NULL DEFAULT 0,
    id integer PRIMARY KEY
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

-- A change of data and activity touch no column that an index or its condition names, so both
-- stay HOT: that is why `due` is the earlier of old and new, and activity has a column of its own.
CREATE TABLE {schema}.sessions (
    realm bigint NOT NULL,
    due bigint NOT NULL,
    seen bigint NOT NULL,
    idle_ms bigint NOT NULL,
    deadline bigint NOT NULL,
    revision bigint NOT NULL,
    id uuid PRIMARY KEY,
    owner uuid,
    class smallint NOT NULL,
    body bytea NOT NULL
) WITH (fillfactor = 75);
-- Most of a body is encrypted, so compressing it would be in vain.
ALTER TABLE {schema}.sessions ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX sessions_owner ON {schema}.sessions (owner, id) WHERE owner IS NOT NULL;
CREATE INDEX sessions_due ON {schema}.sessions (due);
CREATE INDEX sessions_realm ON {schema}.sessions (realm, id) WHERE class < 2;

CREATE TABLE {schema}.cells (
    version bigint NOT NULL,
    at bigint NOT NULL,
    partition integer NOT NULL,
    kind smallint NOT NULL,
    key uuid NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (partition, kind, key)
);
CREATE INDEX cells_at ON {schema}.cells (at) WHERE kind = 1;

CREATE TABLE {schema}.events (
    sequence bigint NOT NULL,
    at bigint NOT NULL,
    partition integer NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (partition, sequence)
);
