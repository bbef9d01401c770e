-- The functions of this version of the schema. Their names carry a number: a release that needs
-- another function makes one beside the old one, so that nodes of both releases can run.
-- They compare and write. What is to happen to a session is decided in Rust.

CREATE FUNCTION {schema}.now_1() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT floor(date_part('epoch', clock_timestamp()) * 1000)::bigint
$$;

-- Ends a step that has written nothing but a lock: the next one need not wait for the disk.
CREATE FUNCTION {schema}.nothing_1(code integer) RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    RETURN code;
END
$$;

-- 0 done, 1 stale, 2 busy, 3 late, 4 too many guests, 5 frozen, 6 shut.
CREATE FUNCTION {schema}.write_1(
    in_partition integer, decided bigint, is_the_time boolean, max_delay bigint, my_hold bigint,
    guests_by bigint, max_guests bigint,
    seen_ids uuid[], seen_revisions bigint[], seen_at bigint[],
    of_owner uuid, owner_ids uuid[], owner_revisions bigint[],
    cell_kinds smallint[], cell_keys uuid[], cell_versions bigint[],
    put_ids uuid[], put_classes smallint[], put_realms bigint[], put_owners uuid[], put_due bigint[],
    put_seen bigint[], put_idle bigint[], put_deadlines bigint[], put_revisions bigint[], put_bodies bytea[],
    later_ids uuid[], later_due bigint[],
    gone_ids uuid[],
    new_kinds smallint[], new_keys uuid[], new_versions bigint[], new_at bigint[], new_bodies bytea[],
    appended bytea[]
) RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    p record;
    s record;
    clock bigint;
    at_time bigint;
    total bigint;
    updated bigint;
    differ boolean;
BEGIN
    -- All writers of a partition wait here for each other, and each statement below sees what those
    -- before have committed.
    SELECT sequence, guests, latest, holder, held_until, barrier INTO p
        FROM {schema}.partitions WHERE id = in_partition FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no partition %', in_partition USING ERRCODE = 'data_corrupted';
    END IF;
    clock := {schema}.now_1();
    IF p.held_until BETWEEN clock + 1 AND clock + {longest_hold} AND p.holder IS DISTINCT FROM my_hold THEN
        RETURN {schema}.nothing_1(2);
    END IF;
    clock := CASE WHEN is_the_time THEN decided ELSE clock END;
    at_time := greatest(clock, p.latest);
    IF NOT is_the_time AND abs(at_time - decided) > max_delay THEN
        RETURN {schema}.nothing_1(3);
    END IF;
    IF p.barrier = {shut} THEN
        RETURN {schema}.nothing_1(6);
    ELSIF p.barrier > at_time THEN
        IF p.barrier <= clock + {longest_freeze} THEN
            RETURN {schema}.nothing_1(5);
        END IF;
        -- The clock was set back. Whoever froze it is not to believe that nobody writes.
        UPDATE {schema}.partitions SET barrier = 0 WHERE id = in_partition;
    END IF;

    -- Activity is written without the lock of the partition. Whoever depends on it locks the rows.
    IF array_remove(seen_at, NULL) <> '{}' THEN
        PERFORM FROM {schema}.sessions WHERE id = ANY (seen_ids) ORDER BY id FOR NO KEY UPDATE;
    END IF;
    -- Mostly there is one session and one event. Without arrays that takes half the time.
    IF cardinality(seen_ids) = 1 THEN
        SELECT revision, seen INTO s FROM {schema}.sessions WHERE id = seen_ids[1];
        differ := coalesce(s.revision, 0) <> seen_revisions[1]
            OR (seen_at[1] IS NOT NULL AND seen_at[1] <> s.seen);
    ELSE
        SELECT true INTO differ
            FROM unnest(seen_ids, seen_revisions, seen_at) AS e (id, revision, seen)
            LEFT JOIN {schema}.sessions o ON o.id = e.id
            WHERE coalesce(o.revision, 0) <> e.revision OR (e.seen IS NOT NULL AND e.seen <> o.seen)
            LIMIT 1;
    END IF;
    IF differ THEN
        RETURN {schema}.nothing_1(1);
    END IF;
    IF of_owner IS NOT NULL THEN
        SELECT true INTO differ
            FROM unnest(owner_ids, owner_revisions) AS e (id, revision)
            FULL JOIN (SELECT id, revision FROM {schema}.sessions WHERE owner = of_owner) o ON o.id = e.id
            WHERE e.revision IS DISTINCT FROM o.revision
            LIMIT 1;
        IF differ THEN
            RETURN {schema}.nothing_1(1);
        END IF;
    END IF;
    IF cell_keys <> '{}' THEN
        SELECT true INTO differ
            FROM unnest(cell_kinds, cell_keys, cell_versions) AS e (kind, key, version)
            LEFT JOIN {schema}.cells c ON c.partition = in_partition AND c.kind = e.kind AND c.key = e.key
            WHERE coalesce(c.version, 0) <> e.version
            LIMIT 1;
        IF differ THEN
            RETURN {schema}.nothing_1(1);
        END IF;
    END IF;

    -- What others who count at this moment may add is less than one for each connection. So near
    -- the limit they count one after the other, and further away none has to wait.
    IF guests_by > 0 AND max_guests IS NOT NULL THEN
        SELECT coalesce(sum(guests), 0) INTO total FROM {schema}.partitions;
        IF total + guests_by + guests_by * current_setting('max_connections')::bigint > max_guests THEN
            PERFORM pg_advisory_xact_lock((7237::bigint << 32) | '{schema}.partitions'::regclass::oid::bigint);
            SELECT coalesce(sum(guests), 0) INTO total FROM {schema}.partitions;
            IF total + guests_by > max_guests THEN
                RETURN {schema}.nothing_1(4);
            END IF;
        END IF;
    END IF;

    IF cardinality(put_ids) = 1 AND seen_revisions[1] > 0 AND cardinality(seen_ids) = 1 THEN
        UPDATE {schema}.sessions o
            SET class = put_classes[1], realm = put_realms[1], owner = put_owners[1],
                due = CASE WHEN o.class = put_classes[1] AND o.class < 2
                           THEN least(o.due, put_due[1]) ELSE put_due[1] END,
                seen = greatest(o.seen, put_seen[1]), idle_ms = put_idle[1],
                deadline = put_deadlines[1], revision = put_revisions[1], body = put_bodies[1]
            WHERE o.id = put_ids[1];
    ELSIF put_ids <> '{}' THEN
        updated := 0;
        -- What was not there when it was looked for just now is new.
        IF 0 < ANY (seen_revisions) THEN
            UPDATE {schema}.sessions o
                SET class = e.class, realm = e.realm, owner = e.owner,
                    due = CASE WHEN o.class = e.class AND e.class < 2
                               THEN least(o.due, e.due) ELSE e.due END,
                    seen = greatest(o.seen, e.seen),
                    idle_ms = e.idle_ms, deadline = e.deadline, revision = e.revision, body = e.body
                FROM unnest(put_ids, put_classes, put_realms, put_owners, put_due, put_seen, put_idle,
                            put_deadlines, put_revisions, put_bodies)
                    AS e (id, class, realm, owner, due, seen, idle_ms, deadline, revision, body)
                WHERE o.id = e.id;
            GET DIAGNOSTICS updated = ROW_COUNT;
        END IF;
        IF updated < cardinality(put_ids) THEN
            INSERT INTO {schema}.sessions
                    (id, class, realm, owner, due, seen, idle_ms, deadline, revision, body)
                SELECT e.* FROM unnest(put_ids, put_classes, put_realms, put_owners, put_due, put_seen,
                                       put_idle, put_deadlines, put_revisions, put_bodies)
                    AS e (id, class, realm, owner, due, seen, idle_ms, deadline, revision, body)
                WHERE NOT EXISTS (SELECT FROM {schema}.sessions o WHERE o.id = e.id);
        END IF;
    END IF;
    IF later_ids <> '{}' THEN
        UPDATE {schema}.sessions o SET due = e.due
            FROM unnest(later_ids, later_due) AS e (id, due) WHERE o.id = e.id;
    END IF;
    IF gone_ids <> '{}' THEN
        DELETE FROM {schema}.sessions WHERE id = ANY (gone_ids);
    END IF;
    IF new_keys <> '{}' THEN
        INSERT INTO {schema}.cells AS c (partition, kind, key, version, at, body)
            SELECT in_partition, * FROM unnest(new_kinds, new_keys, new_versions, new_at, new_bodies)
            ON CONFLICT (partition, kind, key) DO UPDATE
                SET version = excluded.version, at = excluded.at, body = excluded.body;
    END IF;
    IF cardinality(appended) = 1 THEN
        INSERT INTO {schema}.events (partition, sequence, at, body)
            VALUES (in_partition, p.sequence + 1, at_time, appended[1]);
    ELSIF appended <> '{}' THEN
        INSERT INTO {schema}.events (partition, sequence, at, body)
            SELECT in_partition, p.sequence + n, at_time, body
            FROM unnest(appended) WITH ORDINALITY AS e (body, n);
    END IF;
    UPDATE {schema}.partitions
        SET sequence = p.sequence + cardinality(appended), guests = p.guests + guests_by, latest = at_time,
            held_until = CASE WHEN p.holder = my_hold THEN 0 ELSE p.held_until END
        WHERE id = in_partition;
    RETURN 0;
END
$$;

-- What most steps are: one session is another one, and one event tells of it. As write_1, in fewer
-- statements. Says what write_1 says. What is not `alone` in its transaction waits for no partition,
-- or others would wait with it: 7, somebody else writes in the partition.
CREATE FUNCTION {schema}.change_1(
    alone boolean, is_the_time boolean, max_delay bigint, in_partition integer, decided bigint,
    in_id uuid, seen_revision bigint, seen_at bigint,
    in_class smallint, in_realm bigint, in_owner uuid, in_due bigint, in_seen bigint, in_idle bigint,
    in_deadline bigint, in_revision bigint, in_body bytea, event bytea
) RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    p record;
    clock bigint;
    at_time bigint;
    held boolean;
    code integer := 0;
BEGIN
    IF alone THEN
        SELECT sequence, latest, held_until, barrier INTO p
            FROM {schema}.partitions WHERE id = in_partition FOR NO KEY UPDATE;
    ELSE
        SELECT sequence, latest, held_until, barrier INTO p
            FROM {schema}.partitions WHERE id = in_partition FOR NO KEY UPDATE SKIP LOCKED;
    END IF;
    IF NOT FOUND THEN
        IF NOT alone THEN
            RETURN 7;
        END IF;
        RAISE EXCEPTION 'there is no partition %', in_partition USING ERRCODE = 'data_corrupted';
    END IF;
    clock := floor(date_part('epoch', clock_timestamp()) * 1000)::bigint;
    held := p.held_until BETWEEN clock + 1 AND clock + {longest_hold};
    clock := CASE WHEN is_the_time THEN decided ELSE clock END;
    at_time := greatest(clock, p.latest);
    IF held THEN
        code := 2;
    ELSIF NOT is_the_time AND abs(at_time - decided) > max_delay THEN
        code := 3;
    ELSIF p.barrier = {shut} THEN
        code := 6;
    ELSIF p.barrier > at_time AND p.barrier <= clock + {longest_freeze} THEN
        code := 5;
    ELSE
        UPDATE {schema}.sessions o
            SET class = in_class, realm = in_realm, owner = in_owner,
                due = CASE WHEN o.class = in_class AND o.class < 2 THEN least(o.due, in_due) ELSE in_due END,
                seen = greatest(o.seen, in_seen), idle_ms = in_idle, deadline = in_deadline,
                revision = in_revision, body = in_body
            WHERE o.id = in_id AND o.revision = seen_revision AND (seen_at IS NULL OR o.seen = seen_at);
        IF NOT FOUND THEN
            code := 1;
        END IF;
    END IF;
    IF code > 0 THEN
        RETURN CASE WHEN alone THEN {schema}.nothing_1(code) ELSE code END;
    END IF;
    INSERT INTO {schema}.events (partition, sequence, at, body)
        VALUES (in_partition, p.sequence + 1, at_time, event);
    -- A freeze that is still there is one of before the clock was set back, as in write_1.
    UPDATE {schema}.partitions
        SET sequence = p.sequence + 1, latest = at_time,
            barrier = CASE WHEN p.barrier > at_time THEN 0 ELSE p.barrier END
        WHERE id = in_partition;
    RETURN 0;
END
$$;

-- Several such steps in one transaction, each for itself done or not. They come ordered by partition
-- and session, which is the order in which everybody locks.
CREATE FUNCTION {schema}.changes_1(
    is_the_time boolean, max_delay bigint, partitions integer[], decided bigint[],
    ids uuid[], seen_revisions bigint[], seen_at bigint[],
    classes smallint[], realms bigint[], owners uuid[], due bigint[], seen bigint[], idle bigint[],
    deadlines bigint[], revisions bigint[], bodies bytea[], events bytea[]
) RETURNS integer[] LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    w record;
    codes integer[] := '{}';
BEGIN
    FOR w IN SELECT * FROM unnest(partitions, decided, ids, seen_revisions, seen_at, classes, realms, owners,
                                  due, seen, idle, deadlines, revisions, bodies, events)
            AS e (partition, decided, id, seen_revision, seen_at, class, realm, owner,
                  due, seen, idle, deadline, revision, body, event) LOOP
        codes := codes || {schema}.change_1(
            false, is_the_time, max_delay, w.partition, w.decided, w.id, w.seen_revision, w.seen_at,
            w.class, w.realm, w.owner, w.due, w.seen, w.idle, w.deadline, w.revision, w.body, w.event);
    END LOOP;
    IF 0 <> ALL (codes) THEN
        PERFORM {schema}.nothing_1(0);
    END IF;
    RETURN codes;
END
$$;

-- Keeps a partition for one writer, if nobody else does. Says whether it is kept.
CREATE FUNCTION {schema}.hold_1(in_partition integer, my_hold bigint, for_ms bigint)
RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    clock bigint := {schema}.now_1();
BEGIN
    -- Without a lock first: most who ask have to come again.
    PERFORM FROM {schema}.partitions
        WHERE id = in_partition
            AND (holder = my_hold OR held_until NOT BETWEEN clock + 1 AND clock + {longest_hold});
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- A hold that a crash undoes has kept nobody from anything.
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE {schema}.partitions SET holder = my_hold, held_until = clock + for_ms
        WHERE id = in_partition
            AND (holder = my_hold OR held_until NOT BETWEEN clock + 1 AND clock + {longest_hold});
    RETURN FOUND;
END
$$;

-- Row after row in the order given, which is that in which everybody locks them: by partition, then
-- by id. 0 done, 5 frozen, 6 shut.
CREATE FUNCTION {schema}.touch_1(ids uuid[], moments bigint[], own_time bigint)
RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    t record;
    clock bigint := coalesce(own_time, {schema}.now_1());
    until bigint;
BEGIN
    -- Before looking, so that whoever fences waits for this or is seen by it.
    LOCK TABLE {schema}.sessions IN ROW EXCLUSIVE MODE;
    SELECT barrier INTO until FROM {schema}.meta;
    IF until = {shut} THEN
        RETURN {schema}.nothing_1(6);
    ELSIF until BETWEEN clock + 1 AND clock + {longest_freeze} THEN
        RETURN {schema}.nothing_1(5);
    END IF;
    FOR t IN SELECT id, least(moment, clock) AS moment FROM unnest(ids, moments) AS e (id, moment) LOOP
        UPDATE {schema}.sessions SET seen = t.moment
            WHERE id = t.id AND class < 2 AND seen < t.moment
                AND t.moment - idle_ms < seen AND t.moment < deadline;
    END LOOP;
    RETURN 0;
END
$$;

-- Keeps all partitions from being written in until `until`, or for so long. With `held` only where that
-- is the barrier and has neither passed nor is further ahead than a freeze may be, unless it is to be lifted; without it not where it is shut, unless
-- it is to be lifted. Gives the barrier, or null if nothing was changed.
CREATE FUNCTION {schema}.fence_1(until bigint, for_ms bigint, held bigint, own_time bigint)
RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    clock bigint := coalesce(own_time, {schema}.now_1());
    at_time bigint;
    raised bigint;
BEGIN
    -- Partitions first, as writers do. Activity is written without them.
    PERFORM FROM {schema}.partitions ORDER BY id FOR NO KEY UPDATE;
    LOCK TABLE {schema}.sessions IN SHARE ROW EXCLUSIVE MODE;
    SELECT greatest(clock, max(latest)) INTO at_time FROM {schema}.partitions;
    IF EXISTS (SELECT FROM {schema}.partitions
               WHERE CASE WHEN held IS NULL THEN barrier = {shut} AND until IS DISTINCT FROM 0
                          ELSE barrier <> held
                               OR (until IS DISTINCT FROM 0 AND barrier <> {shut}
                                   AND barrier NOT BETWEEN at_time + 1 AND clock + {longest_freeze}) END) THEN
        RETURN NULL;
    END IF;
    raised := coalesce(until, at_time + for_ms);
    UPDATE {schema}.partitions SET barrier = raised;
    UPDATE {schema}.meta SET barrier = raised;
    RETURN raised;
END
$$;

-- Forgets the oldest events of a partition: those written until then, and those before `keep_after`.
CREATE FUNCTION {schema}.prune_1(in_partition integer, until bigint, keep_after bigint, at_most bigint)
RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    p record;
    upto bigint;
    went bigint;
BEGIN
    SELECT sequence, kept_from INTO p
        FROM {schema}.partitions WHERE id = in_partition FOR NO KEY UPDATE;
    -- Times of a partition never run backwards.
    SELECT max(sequence) INTO upto FROM (
        SELECT sequence, at FROM {schema}.events
            WHERE partition = in_partition AND sequence > p.kept_from
            ORDER BY sequence LIMIT at_most) oldest
        WHERE at <= until OR sequence <= keep_after;
    IF upto IS NULL THEN
        RETURN 0;
    END IF;
    DELETE FROM {schema}.events
        WHERE partition = in_partition AND sequence > p.kept_from AND sequence <= upto;
    GET DIAGNOSTICS went = ROW_COUNT;
    UPDATE {schema}.partitions SET kept_from = upto WHERE id = in_partition;
    RETURN went;
END
$$;
