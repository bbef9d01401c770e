-- One row: what this store is. Its columns never change, so that every release can read it.
CREATE TABLE meta (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    schema      INTEGER NOT NULL,   -- the schema that was written
    readable_by INTEGER NOT NULL,   -- the oldest release that can run on it
    store       BLOB NOT NULL,      -- the store's random name
    key_check   BLOB NOT NULL,      -- tells whether a master key is the right one
    epoch       INTEGER NOT NULL,   -- of the event log
    incarnation BLOB NOT NULL,      -- fresh at each opening
    undecided   INTEGER NOT NULL,   -- 1 while all sessions of a restored copy are being ended
    sum         INTEGER NOT NULL
) STRICT;

-- One row, written with every commit.
CREATE TABLE head (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    commits   INTEGER NOT NULL,
    sequence  INTEGER NOT NULL,     -- of the last event
    kept_from INTEGER NOT NULL,     -- sequence of the last event that was removed
    guests    INTEGER NOT NULL,
    latest    INTEGER NOT NULL,     -- the store's time at the last commit
    barrier   INTEGER NOT NULL,     -- until when nobody writes, while sessions move to another store
    sum       INTEGER NOT NULL
) STRICT;

-- One row if there is any: what the store is in a move of its sessions.
CREATE TABLE phase (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    sum   INTEGER NOT NULL,
    phase BLOB NOT NULL
) STRICT;

CREATE TABLE sessions (
    key    INTEGER PRIMARY KEY,
    id     BLOB NOT NULL,
    realm  INTEGER NOT NULL,        -- 8 bits of a hash, to skip most other realms
    state  INTEGER NOT NULL,        -- 0 guest, 1 of a user, 2 ended
    owner  INTEGER,                 -- 48 bits of a hash of realm and user, while it has not ended
    due    INTEGER NOT NULL,        -- when to look at it again; may be too early, never too late
    seen   INTEGER NOT NULL,        -- last activity: the record holds none
    sum    INTEGER NOT NULL,
    record BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX session_id ON sessions (id, realm);
CREATE INDEX session_owner ON sessions (owner) WHERE owner IS NOT NULL;
CREATE INDEX session_due ON sessions (due);

CREATE TABLE users (
    realm       TEXT NOT NULL,
    user        TEXT NOT NULL,
    epoch       INTEGER NOT NULL,
    disabled_at INTEGER,
    sum         INTEGER NOT NULL,
    PRIMARY KEY (realm, user)
) STRICT, WITHOUT ROWID;

-- In order of time, so that the oldest are found without an index.
CREATE TABLE receipts (
    key     INTEGER PRIMARY KEY,
    id      BLOB NOT NULL UNIQUE,
    at      INTEGER NOT NULL,
    session BLOB NOT NULL,
    sum     INTEGER NOT NULL,
    receipt BLOB NOT NULL
) STRICT;

CREATE TABLE events (
    sequence INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    sum      INTEGER NOT NULL,
    body     BLOB NOT NULL
) STRICT;
