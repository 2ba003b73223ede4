CREATE TYPE public.studydirection AS ENUM (
    'NOT_SET',
    'MINIMIZE',
    'MAXIMIZE'
);
CREATE TYPE public.trialintermediatevaluetype AS ENUM (
    'FINITE',
    'INF_POS',
    'INF_NEG',
    'NAN'
);
CREATE TYPE public.trialstate AS ENUM (
    'RUNNING',
    'COMPLETE',
    'PRUNED',
    'FAIL',
    'WAITING'
);
CREATE TYPE public.trialvaluetype AS ENUM (
    'FINITE',
    'INF_POS',
    'INF_NEG'
);
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.lamsearch_cohort (
    study character varying(100) NOT NULL,
    stage character varying(20) NOT NULL,
    number integer NOT NULL,
    replicate integer NOT NULL,
    trials json NOT NULL,
    state integer NOT NULL,
    owner character varying(200),
    token integer NOT NULL,
    expires double precision,
    renewed double precision,
    lease_seconds double precision,
    takeovers integer NOT NULL,
    taken_from character varying(200),
    resumed_update integer,
    updates integer NOT NULL,
    total integer NOT NULL,
    per_second double precision NOT NULL,
    best double precision,
    best_point json,
    seconds double precision
);
CREATE TABLE public.lamsearch_curve (
    study_id character varying(32) NOT NULL,
    stage character varying(20) NOT NULL,
    candidate integer NOT NULL,
    replicate integer NOT NULL,
    arrays bytea NOT NULL,
    model_sha256 character varying(64)
);
CREATE TABLE public.lamsearch_environment (
    study_id character varying(32) NOT NULL,
    number integer NOT NULL,
    facts json NOT NULL,
    mixed integer NOT NULL,
    joined double precision NOT NULL
);
CREATE TABLE public.lamsearch_schema (
    version integer NOT NULL
);
CREATE TABLE public.lamsearch_stage (
    study character varying(100) NOT NULL,
    name character varying(20) NOT NULL,
    optuna_study integer NOT NULL,
    bounds json,
    cohorts integer NOT NULL,
    rounds integer NOT NULL,
    decisions json
);
CREATE TABLE public.lamsearch_study (
    name character varying(100) NOT NULL,
    id character varying(32) NOT NULL,
    document json NOT NULL,
    fingerprint character varying(64) NOT NULL,
    data_fingerprint character varying(64) NOT NULL,
    validation_images json NOT NULL,
    classes json NOT NULL,
    data_facts json,
    environment json,
    origin text NOT NULL,
    files text NOT NULL,
    created double precision NOT NULL,
    finished double precision,
    failure text,
    halted character varying(20),
    priority integer DEFAULT 0 NOT NULL,
    started double precision,
    paused_at double precision,
    paused_seconds double precision DEFAULT '0'::double precision NOT NULL,
    search_ended text,
    expected_updates double precision,
    selected json,
    openings json NOT NULL,
    final json
);
CREATE TABLE public.lamsearch_unable (
    study_id character varying(32) NOT NULL,
    host character varying(200) NOT NULL,
    reason text NOT NULL,
    at double precision NOT NULL
);
CREATE TABLE public.studies (
    study_id integer NOT NULL,
    study_name character varying(512) NOT NULL
);
CREATE SEQUENCE public.studies_study_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.studies_study_id_seq OWNED BY public.studies.study_id;
CREATE TABLE public.study_directions (
    study_direction_id integer NOT NULL,
    direction public.studydirection NOT NULL,
    study_id integer NOT NULL,
    objective integer NOT NULL
);
CREATE SEQUENCE public.study_directions_study_direction_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.study_directions_study_direction_id_seq OWNED BY public.study_directions.study_direction_id;
CREATE TABLE public.study_system_attributes (
    study_system_attribute_id integer NOT NULL,
    study_id integer,
    key character varying(512),
    value_json text
);
CREATE SEQUENCE public.study_system_attributes_study_system_attribute_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.study_system_attributes_study_system_attribute_id_seq OWNED BY public.study_system_attributes.study_system_attribute_id;
CREATE TABLE public.study_user_attributes (
    study_user_attribute_id integer NOT NULL,
    study_id integer,
    key character varying(512),
    value_json text
);
CREATE SEQUENCE public.study_user_attributes_study_user_attribute_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.study_user_attributes_study_user_attribute_id_seq OWNED BY public.study_user_attributes.study_user_attribute_id;
CREATE TABLE public.trial_heartbeats (
    trial_heartbeat_id integer NOT NULL,
    trial_id integer NOT NULL,
    heartbeat timestamp without time zone NOT NULL
);
CREATE SEQUENCE public.trial_heartbeats_trial_heartbeat_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_heartbeats_trial_heartbeat_id_seq OWNED BY public.trial_heartbeats.trial_heartbeat_id;
CREATE TABLE public.trial_intermediate_values (
    trial_intermediate_value_id integer NOT NULL,
    trial_id integer NOT NULL,
    step integer NOT NULL,
    intermediate_value double precision,
    intermediate_value_type public.trialintermediatevaluetype NOT NULL
);
CREATE SEQUENCE public.trial_intermediate_values_trial_intermediate_value_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_intermediate_values_trial_intermediate_value_id_seq OWNED BY public.trial_intermediate_values.trial_intermediate_value_id;
CREATE TABLE public.trial_params (
    param_id integer NOT NULL,
    trial_id integer,
    param_name character varying(512),
    param_value double precision,
    distribution_json text
);
CREATE SEQUENCE public.trial_params_param_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_params_param_id_seq OWNED BY public.trial_params.param_id;
CREATE TABLE public.trial_system_attributes (
    trial_system_attribute_id integer NOT NULL,
    trial_id integer,
    key character varying(512),
    value_json text
);
CREATE SEQUENCE public.trial_system_attributes_trial_system_attribute_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_system_attributes_trial_system_attribute_id_seq OWNED BY public.trial_system_attributes.trial_system_attribute_id;
CREATE TABLE public.trial_user_attributes (
    trial_user_attribute_id integer NOT NULL,
    trial_id integer,
    key character varying(512),
    value_json text
);
CREATE SEQUENCE public.trial_user_attributes_trial_user_attribute_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_user_attributes_trial_user_attribute_id_seq OWNED BY public.trial_user_attributes.trial_user_attribute_id;
CREATE TABLE public.trial_values (
    trial_value_id integer NOT NULL,
    trial_id integer NOT NULL,
    objective integer NOT NULL,
    value double precision,
    value_type public.trialvaluetype NOT NULL
);
CREATE SEQUENCE public.trial_values_trial_value_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_values_trial_value_id_seq OWNED BY public.trial_values.trial_value_id;
CREATE TABLE public.trials (
    trial_id integer NOT NULL,
    number integer,
    study_id integer,
    state public.trialstate NOT NULL,
    datetime_start timestamp without time zone,
    datetime_complete timestamp without time zone
);
CREATE SEQUENCE public.trials_trial_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trials_trial_id_seq OWNED BY public.trials.trial_id;
CREATE TABLE public.version_info (
    version_info_id integer NOT NULL,
    schema_version integer,
    library_version character varying(256),
    CONSTRAINT version_info_version_info_id_check CHECK ((version_info_id = 1))
);
ALTER TABLE ONLY public.studies ALTER COLUMN study_id SET DEFAULT nextval('public.studies_study_id_seq'::regclass);
ALTER TABLE ONLY public.study_directions ALTER COLUMN study_direction_id SET DEFAULT nextval('public.study_directions_study_direction_id_seq'::regclass);
ALTER TABLE ONLY public.study_system_attributes ALTER COLUMN study_system_attribute_id SET DEFAULT nextval('public.study_system_attributes_study_system_attribute_id_seq'::regclass);
ALTER TABLE ONLY public.study_user_attributes ALTER COLUMN study_user_attribute_id SET DEFAULT nextval('public.study_user_attributes_study_user_attribute_id_seq'::regclass);
ALTER TABLE ONLY public.trial_heartbeats ALTER COLUMN trial_heartbeat_id SET DEFAULT nextval('public.trial_heartbeats_trial_heartbeat_id_seq'::regclass);
ALTER TABLE ONLY public.trial_intermediate_values ALTER COLUMN trial_intermediate_value_id SET DEFAULT nextval('public.trial_intermediate_values_trial_intermediate_value_id_seq'::regclass);
ALTER TABLE ONLY public.trial_params ALTER COLUMN param_id SET DEFAULT nextval('public.trial_params_param_id_seq'::regclass);
ALTER TABLE ONLY public.trial_system_attributes ALTER COLUMN trial_system_attribute_id SET DEFAULT nextval('public.trial_system_attributes_trial_system_attribute_id_seq'::regclass);
ALTER TABLE ONLY public.trial_user_attributes ALTER COLUMN trial_user_attribute_id SET DEFAULT nextval('public.trial_user_attributes_trial_user_attribute_id_seq'::regclass);
ALTER TABLE ONLY public.trial_values ALTER COLUMN trial_value_id SET DEFAULT nextval('public.trial_values_trial_value_id_seq'::regclass);
ALTER TABLE ONLY public.trials ALTER COLUMN trial_id SET DEFAULT nextval('public.trials_trial_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('v3.2.0.a');
INSERT INTO public.lamsearch_cohort VALUES ('half', 'coarse', 0, 0, '[[1, 0, [-0.5756903510129883]], [2, 1, [-1.5925520892492666]]]', 2, 'a', 1, NULL, 1795722040.108032, 20, 0, NULL, NULL, 30, 30, 12.5, 0.8, '[-3.0]', 1.5);
INSERT INTO public.lamsearch_cohort VALUES ('half', 'coarse', 1, 0, '[[3, 2, [-4.760152149850476]]]', 2, 'a', 1, NULL, 1795722040.271536, 20, 0, NULL, NULL, 30, 30, 12.5, 0.8, '[-3.0]', 1.5);
INSERT INTO public.lamsearch_cohort VALUES ('half', 'fine', 0, 0, '[[4, 0, [-4.790319013732647]]]', 2, 'a', 2, NULL, 1795722040.699663, 20, 0, NULL, NULL, 30, 30, 12.5, 0.8, '[-3.0]', 1.5);
INSERT INTO public.lamsearch_cohort VALUES ('half', 'fine', 1, 0, '[[5, 1, [-3.3198388739044837]]]', 1, 'a', 1, 1795722060.858545, 1795722040.858545, 20, 0, NULL, NULL, 30, 30, 12.5, 0.8, '[-3.0]', NULL);
INSERT INTO public.lamsearch_curve VALUES ('de534d1f0a8d44f3b719911ed3838607', 'coarse', 0, 0, '\x504b03042d000000080000002100389284e1ffffffffffffffff0b001400757064617465732e6e70790100100098000000000000004c000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9369a1aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a14002e0628e087d272501a00504b03042d00000008000000210032688daeffffffffffffffff110014006c6561726e696e675f726174652e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a1400ae9cfd0c76f56eecfbf67e52b60700504b03042d000000080000002100df8fdcc4ffffffffffffffff11001400747261696e696e675f6c6f73732e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a1400aefb57afd92e54e4dcff5769a71d00504b03042d000000080000002100adac25eeffffffffffffffff11001400747261696e696e675f636f73742e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a1400aeca97cbec9f1517d9ff5337d90f00504b03042d00000008000000210093772284ffffffffffffffff15001400747261696e696e675f61636375726163792e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a1400aed09f0bf7bfea93df9fe7aa690b00504b03042d000000080000002100057dae0cffffffffffffffff1300140076616c69646174696f6e5f6c6f73732e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a14002ebfb32207de7025ec63ae9abf1f00504b03042d0000000800000021004a834cc5ffffffffffffffff1300140076616c69646174696f6e5f636f73742e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a1400ae07a5d6fbfb43b8f74b7c5ab80f00504b03042d0000000800000021001ab92140ffffffffffffffff1700140076616c69646174696f6e5f61636375726163792e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a14002edb8397ec440a5beda7cf63de0700504b03042d000000080000002100fc518f6bffffffffffffffff0b001400636f72726563742e6e7079010010008d0000000000000053000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a05e536aa8aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a86c63a9a3a0ab50ae403ae9fffed8bbeffbd6e7b5370eebf0d00504b03042d0000000800000021007b1f9432ffffffffffffffff0a001400696d616765732e6e707901001000880000000000000046000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9369a1aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a9a3a0ab50a1401ae1406080000504b01022d032d000000080000002100389284e14c000000980000000b0000000000000000000000800100000000757064617465732e6e7079504b01022d032d00000008000000210032688dae510000008c0000001100000000000000000000008001890000006c6561726e696e675f726174652e6e7079504b01022d032d000000080000002100df8fdcc4510000008c00000011000000000000000000000080011d010000747261696e696e675f6c6f73732e6e7079504b01022d032d000000080000002100adac25ee510000008c0000001100000000000000000000008001b1010000747261696e696e675f636f73742e6e7079504b01022d032d00000008000000210093772284510000008c000000150000000000000000000000800145020000747261696e696e675f61636375726163792e6e7079504b01022d032d000000080000002100057dae0c510000008c0000001300000000000000000000008001dd02000076616c69646174696f6e5f6c6f73732e6e7079504b01022d032d0000000800000021004a834cc5510000008c00000013000000000000000000000080017303000076616c69646174696f6e5f636f73742e6e7079504b01022d032d0000000800000021001ab92140510000008c00000017000000000000000000000080010904000076616c69646174696f6e5f61636375726163792e6e7079504b01022d032d000000080000002100fc518f6b530000008d0000000b00000000000000000000008001a3040000636f72726563742e6e7079504b01022d032d0000000800000021007b1f943246000000880000000a0000000000000000000000800133050000696d616765732e6e7079504b0506000000000a000a0071020000b50500000000', NULL);
INSERT INTO public.lamsearch_curve VALUES ('de534d1f0a8d44f3b719911ed3838607', 'coarse', 1, 0, '\x504b03042d000000080000002100389284e1ffffffffffffffff0b001400757064617465732e6e70790100100098000000000000004c000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9369a1aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a14002e0628e087d272501a00504b03042d0000000800000021009f07357bffffffffffffffff110014006c6561726e696e675f726174652e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a1400aecc0f1bec268606d9f3e8afb40300504b03042d0000000800000021006cad7ecfffffffffffffffff11001400747261696e696e675f6c6f73732e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a1400aedb6797ed4f3f9a6e6fdafdc40e00504b03042d0000000800000021003f186cb5ffffffffffffffff11001400747261696e696e675f636f73742e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a1400ae23a59cfb358e88d8dbacdc650700504b03042d0000000800000021003c8ac148ffffffffffffffff15001400747261696e696e675f61636375726163792e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a1400aece19d3ec0e5f7d6193f495db1e00504b03042d000000080000002100e2135018ffffffffffffffff1300140076616c69646174696f6e5f6c6f73732e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a14002ec70e9bfdf72eaaed8bb8f16d1f00504b03042d00000008000000210006f62fb5ffffffffffffffff1300140076616c69646174696f6e5f636f73742e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a1400ae3fbe92f6cb362bd93ed933751f00504b03042d00000008000000210081dd7f14ffffffffffffffff1700140076616c69646174696f6e5f61636375726163792e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a14002e756d8ffd5bd635ef3b91c66a0300504b03042d00000008000000210090a13f96ffffffffffffffff0b001400636f72726563742e6e7079010010008d0000000000000053000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a05e536aa8aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a86c63a9a3a0ab50ae403aef3b5ffff7ffe9f1fffffffbeff1f00504b03042d0000000800000021007b1f9432ffffffffffffffff0a001400696d616765732e6e707901001000880000000000000046000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9369a1aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a9a3a0ab50a1401ae1406080000504b01022d032d000000080000002100389284e14c000000980000000b0000000000000000000000800100000000757064617465732e6e7079504b01022d032d0000000800000021009f07357b510000008c0000001100000000000000000000008001890000006c6561726e696e675f726174652e6e7079504b01022d032d0000000800000021006cad7ecf510000008c00000011000000000000000000000080011d010000747261696e696e675f6c6f73732e6e7079504b01022d032d0000000800000021003f186cb5510000008c0000001100000000000000000000008001b1010000747261696e696e675f636f73742e6e7079504b01022d032d0000000800000021003c8ac148510000008c000000150000000000000000000000800145020000747261696e696e675f61636375726163792e6e7079504b01022d032d000000080000002100e2135018510000008c0000001300000000000000000000008001dd02000076616c69646174696f6e5f6c6f73732e6e7079504b01022d032d00000008000000210006f62fb5510000008c00000013000000000000000000000080017303000076616c69646174696f6e5f636f73742e6e7079504b01022d032d00000008000000210081dd7f14510000008c00000017000000000000000000000080010904000076616c69646174696f6e5f61636375726163792e6e7079504b01022d032d00000008000000210090a13f96530000008d0000000b00000000000000000000008001a3040000636f72726563742e6e7079504b01022d032d0000000800000021007b1f943246000000880000000a0000000000000000000000800133050000696d616765732e6e7079504b0506000000000a000a0071020000b50500000000', NULL);
INSERT INTO public.lamsearch_curve VALUES ('de534d1f0a8d44f3b719911ed3838607', 'coarse', 2, 0, '\x504b03042d000000080000002100389284e1ffffffffffffffff0b001400757064617465732e6e70790100100098000000000000004c000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9369a1aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a14002e0628e087d272501a00504b03042d0000000800000021005944969dffffffffffffffff110014006c6561726e696e675f726174652e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a14002eb3e98e76372eb1ee17acbdbc0f00504b03042d0000000800000021002f4d32b0ffffffffffffffff11001400747261696e696e675f6c6f73732e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a14002e0647990317629ed9b3974cb20700504b03042d000000080000002100bd393a93ffffffffffffffff11001400747261696e696e675f636f73742e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a1400ae4b7397ed339070b3bff1abdf0e00504b03042d000000080000002100b2b0fc1bffffffffffffffff15001400747261696e696e675f61636375726163792e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a1400aed0e3bcfbef3856d9bb32cedf0700504b03042d000000080000002100c617f1f3ffffffffffffffff1300140076616c69646174696f6e5f6c6f73732e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a1400aed9d12bf6299ef2daeff2e1851d00504b03042d0000000800000021009335b21affffffffffffffff1300140076616c69646174696f6e5f636f73742e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a1400ae488dd37bb96770dbb71548ef0700504b03042d000000080000002100e84927e6ffffffffffffffff1700140076616c69646174696f6e5f61636375726163792e6e7079010010008c0000000000000050000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a14002ecdfb8c76423929fb1db2c2ed01504b03042d000000080000002100a8d754a5ffffffffffffffff0b001400636f72726563742e6e7079010010008d0000000000000054000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a05e536aa8aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a86c63a9a3a0ab50ae403aeedd7d7ffbbffffdeefdfff9fffdc0000504b03042d0000000800000021007b1f9432ffffffffffffffff0a001400696d616765732e6e707901001000880000000000000046000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9369a1aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a9a3a0ab50a1401ae1406080000504b01022d032d000000080000002100389284e14c000000980000000b0000000000000000000000800100000000757064617465732e6e7079504b01022d032d0000000800000021005944969d510000008c0000001100000000000000000000008001890000006c6561726e696e675f726174652e6e7079504b01022d032d0000000800000021002f4d32b0510000008c00000011000000000000000000000080011d010000747261696e696e675f6c6f73732e6e7079504b01022d032d000000080000002100bd393a93510000008c0000001100000000000000000000008001b1010000747261696e696e675f636f73742e6e7079504b01022d032d000000080000002100b2b0fc1b510000008c000000150000000000000000000000800145020000747261696e696e675f61636375726163792e6e7079504b01022d032d000000080000002100c617f1f3510000008c0000001300000000000000000000008001dd02000076616c69646174696f6e5f6c6f73732e6e7079504b01022d032d0000000800000021009335b21a510000008c00000013000000000000000000000080017303000076616c69646174696f6e5f636f73742e6e7079504b01022d032d000000080000002100e84927e6500000008c00000017000000000000000000000080010904000076616c69646174696f6e5f61636375726163792e6e7079504b01022d032d000000080000002100a8d754a5540000008d0000000b00000000000000000000008001a2040000636f72726563742e6e7079504b01022d032d0000000800000021007b1f943246000000880000000a0000000000000000000000800133050000696d616765732e6e7079504b0506000000000a000a0071020000b50500000000', NULL);
INSERT INTO public.lamsearch_curve VALUES ('de534d1f0a8d44f3b719911ed3838607', 'fine', 0, 0, '\x504b03042d000000080000002100389284e1ffffffffffffffff0b001400757064617465732e6e70790100100098000000000000004c000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9369a1aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a14002e0628e087d272501a00504b03042d00000008000000210032688daeffffffffffffffff110014006c6561726e696e675f726174652e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a1400ae9cfd0c76f56eecfbf67e52b60700504b03042d000000080000002100df8fdcc4ffffffffffffffff11001400747261696e696e675f6c6f73732e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a1400aefb57afd92e54e4dcff5769a71d00504b03042d000000080000002100adac25eeffffffffffffffff11001400747261696e696e675f636f73742e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a1400aeca97cbec9f1517d9ff5337d90f00504b03042d00000008000000210093772284ffffffffffffffff15001400747261696e696e675f61636375726163792e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a1400aed09f0bf7bfea93df9fe7aa690b00504b03042d000000080000002100057dae0cffffffffffffffff1300140076616c69646174696f6e5f6c6f73732e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a14002ebfb32207de7025ec63ae9abf1f00504b03042d0000000800000021004a834cc5ffffffffffffffff1300140076616c69646174696f6e5f636f73742e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a1400ae07a5d6fbfb43b8f74b7c5ab80f00504b03042d0000000800000021001ab92140ffffffffffffffff1700140076616c69646174696f6e5f61636375726163792e6e7079010010008c0000000000000051000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a14002edb8397ec440a5beda7cf63de0700504b03042d0000000800000021002af7305dffffffffffffffff0b001400636f72726563742e6e7079010010008d0000000000000053000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a05e536aa8aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a86c63a9a3a0ab50ae403ae9fffedebfeffbd6e7f53f8eebf0d00504b03042d0000000800000021007b1f9432ffffffffffffffff0a001400696d616765732e6e707901001000880000000000000046000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9369a1aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a9a3a0ab50a1401ae1406080000504b01022d032d000000080000002100389284e14c000000980000000b0000000000000000000000800100000000757064617465732e6e7079504b01022d032d00000008000000210032688dae510000008c0000001100000000000000000000008001890000006c6561726e696e675f726174652e6e7079504b01022d032d000000080000002100df8fdcc4510000008c00000011000000000000000000000080011d010000747261696e696e675f6c6f73732e6e7079504b01022d032d000000080000002100adac25ee510000008c0000001100000000000000000000008001b1010000747261696e696e675f636f73742e6e7079504b01022d032d00000008000000210093772284510000008c000000150000000000000000000000800145020000747261696e696e675f61636375726163792e6e7079504b01022d032d000000080000002100057dae0c510000008c0000001300000000000000000000008001dd02000076616c69646174696f6e5f6c6f73732e6e7079504b01022d032d0000000800000021004a834cc5510000008c00000013000000000000000000000080017303000076616c69646174696f6e5f636f73742e6e7079504b01022d032d0000000800000021001ab92140510000008c00000017000000000000000000000080010904000076616c69646174696f6e5f61636375726163792e6e7079504b01022d032d0000000800000021002af7305d530000008d0000000b00000000000000000000008001a3040000636f72726563742e6e7079504b01022d032d0000000800000021007b1f943246000000880000000a0000000000000000000000800133050000696d616765732e6e7079504b0506000000000a000a0071020000b50500000000', NULL);
INSERT INTO public.lamsearch_schema VALUES (6);
INSERT INTO public.lamsearch_stage VALUES ('half', 'coarse', 1, '[[-5.0, 2.0]]', 2, 1, '[{"kind": "first", "candidates": [0, 3], "interval": [-5.0, 2.0], "inputs": {}}]');
INSERT INTO public.lamsearch_stage VALUES ('half', 'fine', 2, '[[-5.0, -0.42588542258259987]]', 2, 1, '[{"kind": "first", "candidates": [0, 2], "interval": [-5.0, -0.42588542258259987], "inputs": {"coarse": {"complete": 3, "pruned": 0, "failed": 0}}}]');
INSERT INTO public.lamsearch_study VALUES ('half', 'de534d1f0a8d44f3b719911ed3838607', '{"name": "half", "seed": 7, "cohort": 2, "data": {"source": "digits", "train": 300, "validation": 100, "test": 200, "stratified": false}, "network": {"hidden": 8}, "training": {"batch_size": 20, "schedule": "triangular", "eta_min": 1e-05, "eta_max": 0.1, "gamma": 1.0, "step_size": 15, "cycles": 2, "sample_every": "epoch"}, "coarse": {"cycles": 1, "trials": 3, "log10_lambda": [-5.0, 2.0], "sampler": "random", "halving": false}, "fine": {"cycles": 1, "trials": 2, "sampler": "random", "halving": false, "keep": 2, "rounds": 2, "extend": true}, "finalists": {"keep": 2, "replicates": 2, "extend": true, "rounds": 2, "rule": "model"}, "final": {"train": 350, "validation": 50, "replicates": 2, "test_curves": false}}', 'dfd43f8cee0e394a8dcee78023c173fde86e6b11060fddd948704b1bd70dd219', 'dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd', '{"coarse": 100, "fine": 100, "finalists": 100, "final": 100}', '["zero", "one"]', 'null', 'null', '/studies', '/files', 1795722039.962402, NULL, NULL, NULL, 0, 1795722040.108032, NULL, 0, NULL, 540, NULL, '[]', NULL);
INSERT INTO public.studies VALUES (1, 'half/coarse');
INSERT INTO public.studies VALUES (2, 'half/fine');
INSERT INTO public.study_directions VALUES (1, 'MAXIMIZE', 1, 0);
INSERT INTO public.study_directions VALUES (2, 'MAXIMIZE', 2, 0);
INSERT INTO public.trial_intermediate_values VALUES (1, 1, 1, 0.6824544545165695, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (2, 1, 2, 0.7824544545165695, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (3, 2, 1, 0.7603818075704679, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (4, 2, 2, 0.8603818075704679, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (5, 3, 1, 0.738037288187535, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (6, 3, 2, 0.838037288187535, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (7, 4, 1, 0.7358951565813473, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (8, 4, 2, 0.8358951565813473, 'FINITE');
INSERT INTO public.trial_params VALUES (1, 1, 'log10_lambda', -0.5756903510129883, '{"name": "FloatDistribution", "attributes": {"step": null, "low": -5.0, "high": 2.0, "log": false}}');
INSERT INTO public.trial_params VALUES (2, 2, 'log10_lambda', -1.5925520892492666, '{"name": "FloatDistribution", "attributes": {"step": null, "low": -5.0, "high": 2.0, "log": false}}');
INSERT INTO public.trial_params VALUES (3, 3, 'log10_lambda', -4.760152149850476, '{"name": "FloatDistribution", "attributes": {"step": null, "low": -5.0, "high": 2.0, "log": false}}');
INSERT INTO public.trial_params VALUES (4, 4, 'log10_lambda', -4.790319013732647, '{"name": "FloatDistribution", "attributes": {"step": null, "low": -5.0, "high": -0.42588542258259987, "log": false}}');
INSERT INTO public.trial_params VALUES (5, 5, 'log10_lambda', -3.3198388739044837, '{"name": "FloatDistribution", "attributes": {"step": null, "low": -5.0, "high": -0.42588542258259987, "log": false}}');
INSERT INTO public.trial_system_attributes VALUES (1, 1, 'lamsearch:sha256', '"a7817b576f44a71c5a4abbaf070d7cfa629b03e4e08992496097603a565db57f"');
INSERT INTO public.trial_system_attributes VALUES (2, 2, 'lamsearch:sha256', '"8d03e11deba5e7ec83d06a922b4e96a37ca387ce378e6f6d35852234df9b0219"');
INSERT INTO public.trial_system_attributes VALUES (3, 3, 'lamsearch:sha256', '"e7b0ca6d59fcc5f9c68bbe79a6508287e35b76aef174f8879514db0c5dd00da6"');
INSERT INTO public.trial_system_attributes VALUES (4, 4, 'lamsearch:sha256', '"e2d55f014ae40e76f1b985f2618c6d11df0dcc8d1273b3a0832f89755c705eb3"');
INSERT INTO public.trial_user_attributes VALUES (1, 1, 'candidate', '0');
INSERT INTO public.trial_user_attributes VALUES (2, 1, 'replicate', '0');
INSERT INTO public.trial_user_attributes VALUES (3, 1, 'cohort', '0');
INSERT INTO public.trial_user_attributes VALUES (4, 1, 'lambda', '0.2656498952441757');
INSERT INTO public.trial_user_attributes VALUES (5, 2, 'candidate', '1');
INSERT INTO public.trial_user_attributes VALUES (6, 2, 'replicate', '0');
INSERT INTO public.trial_user_attributes VALUES (7, 2, 'cohort', '0');
INSERT INTO public.trial_user_attributes VALUES (8, 2, 'lambda', '0.025553353959377852');
INSERT INTO public.trial_user_attributes VALUES (9, 3, 'candidate', '2');
INSERT INTO public.trial_user_attributes VALUES (10, 3, 'replicate', '0');
INSERT INTO public.trial_user_attributes VALUES (11, 3, 'cohort', '1');
INSERT INTO public.trial_user_attributes VALUES (12, 3, 'lambda', '1.7371921177550635e-05');
INSERT INTO public.trial_user_attributes VALUES (13, 1, 'validation_accuracy', '0.7824544545165695');
INSERT INTO public.trial_user_attributes VALUES (14, 1, 'validation_loss', '0.21754554548343052');
INSERT INTO public.trial_user_attributes VALUES (15, 1, 'train_accuracy', '0.8324544545165695');
INSERT INTO public.trial_user_attributes VALUES (16, 1, 'seconds', '0.75');
INSERT INTO public.trial_user_attributes VALUES (17, 1, 'worker', '"a"');
INSERT INTO public.trial_user_attributes VALUES (18, 2, 'validation_accuracy', '0.8603818075704679');
INSERT INTO public.trial_user_attributes VALUES (19, 2, 'validation_loss', '0.1396181924295321');
INSERT INTO public.trial_user_attributes VALUES (20, 2, 'train_accuracy', '0.9103818075704679');
INSERT INTO public.trial_user_attributes VALUES (21, 2, 'seconds', '0.75');
INSERT INTO public.trial_user_attributes VALUES (22, 2, 'worker', '"a"');
INSERT INTO public.trial_user_attributes VALUES (23, 3, 'validation_accuracy', '0.838037288187535');
INSERT INTO public.trial_user_attributes VALUES (24, 3, 'validation_loss', '0.16196271181246502');
INSERT INTO public.trial_user_attributes VALUES (25, 3, 'train_accuracy', '0.888037288187535');
INSERT INTO public.trial_user_attributes VALUES (26, 3, 'seconds', '1.5');
INSERT INTO public.trial_user_attributes VALUES (27, 3, 'worker', '"a"');
INSERT INTO public.trial_user_attributes VALUES (28, 4, 'candidate', '0');
INSERT INTO public.trial_user_attributes VALUES (29, 4, 'replicate', '0');
INSERT INTO public.trial_user_attributes VALUES (30, 4, 'cohort', '0');
INSERT INTO public.trial_user_attributes VALUES (31, 4, 'lambda', '1.6206192240261436e-05');
INSERT INTO public.trial_user_attributes VALUES (32, 5, 'candidate', '1');
INSERT INTO public.trial_user_attributes VALUES (33, 5, 'replicate', '0');
INSERT INTO public.trial_user_attributes VALUES (34, 5, 'cohort', '1');
INSERT INTO public.trial_user_attributes VALUES (35, 5, 'lambda', '0.0004788077001646233');
INSERT INTO public.trial_user_attributes VALUES (36, 4, 'validation_accuracy', '0.8358951565813473');
INSERT INTO public.trial_user_attributes VALUES (37, 4, 'validation_loss', '0.16410484341865272');
INSERT INTO public.trial_user_attributes VALUES (38, 4, 'train_accuracy', '0.8858951565813473');
INSERT INTO public.trial_user_attributes VALUES (39, 4, 'seconds', '1.5');
INSERT INTO public.trial_user_attributes VALUES (40, 4, 'worker', '"a"');
INSERT INTO public.trial_values VALUES (1, 1, 0, 0.7824544545165695, 'FINITE');
INSERT INTO public.trial_values VALUES (2, 2, 0, 0.8603818075704679, 'FINITE');
INSERT INTO public.trial_values VALUES (3, 3, 0, 0.838037288187535, 'FINITE');
INSERT INTO public.trial_values VALUES (4, 4, 0, 0.8358951565813473, 'FINITE');
INSERT INTO public.trials VALUES (1, 0, 1, 'COMPLETE', '2026-11-26 19:40:40.142017', '2026-11-26 19:40:40.229958');
INSERT INTO public.trials VALUES (2, 1, 1, 'COMPLETE', '2026-11-26 19:40:40.142017', '2026-11-26 19:40:40.229958');
INSERT INTO public.trials VALUES (3, 2, 1, 'COMPLETE', '2026-11-26 19:40:40.296289', '2026-11-26 19:40:40.349917');
INSERT INTO public.trials VALUES (4, 0, 2, 'COMPLETE', '2026-11-26 19:40:40.649086', '2026-11-26 19:40:40.774822');
INSERT INTO public.trials VALUES (5, 1, 2, 'RUNNING', '2026-11-26 19:40:40.834648', NULL);
INSERT INTO public.version_info VALUES (1, 12, '5.0.0');
SELECT pg_catalog.setval('public.studies_study_id_seq', 2, true);
SELECT pg_catalog.setval('public.study_directions_study_direction_id_seq', 2, true);
SELECT pg_catalog.setval('public.study_system_attributes_study_system_attribute_id_seq', 1, false);
SELECT pg_catalog.setval('public.study_user_attributes_study_user_attribute_id_seq', 1, false);
SELECT pg_catalog.setval('public.trial_heartbeats_trial_heartbeat_id_seq', 1, false);
SELECT pg_catalog.setval('public.trial_intermediate_values_trial_intermediate_value_id_seq', 8, true);
SELECT pg_catalog.setval('public.trial_params_param_id_seq', 5, true);
SELECT pg_catalog.setval('public.trial_system_attributes_trial_system_attribute_id_seq', 4, true);
SELECT pg_catalog.setval('public.trial_user_attributes_trial_user_attribute_id_seq', 40, true);
SELECT pg_catalog.setval('public.trial_values_trial_value_id_seq', 4, true);
SELECT pg_catalog.setval('public.trials_trial_id_seq', 5, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.lamsearch_cohort
    ADD CONSTRAINT lamsearch_cohort_pkey PRIMARY KEY (study, stage, number);
ALTER TABLE ONLY public.lamsearch_curve
    ADD CONSTRAINT lamsearch_curve_pkey PRIMARY KEY (study_id, stage, candidate, replicate);
ALTER TABLE ONLY public.lamsearch_environment
    ADD CONSTRAINT lamsearch_environment_pkey PRIMARY KEY (study_id, number);
ALTER TABLE ONLY public.lamsearch_schema
    ADD CONSTRAINT lamsearch_schema_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.lamsearch_stage
    ADD CONSTRAINT lamsearch_stage_pkey PRIMARY KEY (study, name);
ALTER TABLE ONLY public.lamsearch_study
    ADD CONSTRAINT lamsearch_study_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.lamsearch_unable
    ADD CONSTRAINT lamsearch_unable_pkey PRIMARY KEY (study_id, host);
ALTER TABLE ONLY public.studies
    ADD CONSTRAINT studies_pkey PRIMARY KEY (study_id);
ALTER TABLE ONLY public.study_directions
    ADD CONSTRAINT study_directions_pkey PRIMARY KEY (study_direction_id);
ALTER TABLE ONLY public.study_directions
    ADD CONSTRAINT study_directions_study_id_objective_key UNIQUE (study_id, objective);
ALTER TABLE ONLY public.study_system_attributes
    ADD CONSTRAINT study_system_attributes_pkey PRIMARY KEY (study_system_attribute_id);
ALTER TABLE ONLY public.study_system_attributes
    ADD CONSTRAINT study_system_attributes_study_id_key_key UNIQUE (study_id, key);
ALTER TABLE ONLY public.study_user_attributes
    ADD CONSTRAINT study_user_attributes_pkey PRIMARY KEY (study_user_attribute_id);
ALTER TABLE ONLY public.study_user_attributes
    ADD CONSTRAINT study_user_attributes_study_id_key_key UNIQUE (study_id, key);
ALTER TABLE ONLY public.trial_heartbeats
    ADD CONSTRAINT trial_heartbeats_pkey PRIMARY KEY (trial_heartbeat_id);
ALTER TABLE ONLY public.trial_heartbeats
    ADD CONSTRAINT trial_heartbeats_trial_id_key UNIQUE (trial_id);
ALTER TABLE ONLY public.trial_intermediate_values
    ADD CONSTRAINT trial_intermediate_values_pkey PRIMARY KEY (trial_intermediate_value_id);
ALTER TABLE ONLY public.trial_intermediate_values
    ADD CONSTRAINT trial_intermediate_values_trial_id_step_key UNIQUE (trial_id, step);
ALTER TABLE ONLY public.trial_params
    ADD CONSTRAINT trial_params_pkey PRIMARY KEY (param_id);
ALTER TABLE ONLY public.trial_params
    ADD CONSTRAINT trial_params_trial_id_param_name_key UNIQUE (trial_id, param_name);
ALTER TABLE ONLY public.trial_system_attributes
    ADD CONSTRAINT trial_system_attributes_pkey PRIMARY KEY (trial_system_attribute_id);
ALTER TABLE ONLY public.trial_system_attributes
    ADD CONSTRAINT trial_system_attributes_trial_id_key_key UNIQUE (trial_id, key);
ALTER TABLE ONLY public.trial_user_attributes
    ADD CONSTRAINT trial_user_attributes_pkey PRIMARY KEY (trial_user_attribute_id);
ALTER TABLE ONLY public.trial_user_attributes
    ADD CONSTRAINT trial_user_attributes_trial_id_key_key UNIQUE (trial_id, key);
ALTER TABLE ONLY public.trial_values
    ADD CONSTRAINT trial_values_pkey PRIMARY KEY (trial_value_id);
ALTER TABLE ONLY public.trial_values
    ADD CONSTRAINT trial_values_trial_id_objective_key UNIQUE (trial_id, objective);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT trials_pkey PRIMARY KEY (trial_id);
ALTER TABLE ONLY public.version_info
    ADD CONSTRAINT version_info_pkey PRIMARY KEY (version_info_id);
CREATE UNIQUE INDEX ix_studies_study_name ON public.studies USING btree (study_name);
CREATE INDEX ix_trials_study_id ON public.trials USING btree (study_id);
CREATE INDEX lamsearch_cohort_state ON public.lamsearch_cohort USING btree (study, state, number);
CREATE INDEX lamsearch_study_active ON public.lamsearch_study USING btree (priority DESC, created) WHERE ((finished IS NULL) AND (failure IS NULL) AND (halted IS NULL));
ALTER TABLE ONLY public.study_directions
    ADD CONSTRAINT study_directions_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.studies(study_id);
ALTER TABLE ONLY public.study_system_attributes
    ADD CONSTRAINT study_system_attributes_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.studies(study_id);
ALTER TABLE ONLY public.study_user_attributes
    ADD CONSTRAINT study_user_attributes_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.studies(study_id);
ALTER TABLE ONLY public.trial_heartbeats
    ADD CONSTRAINT trial_heartbeats_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_intermediate_values
    ADD CONSTRAINT trial_intermediate_values_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_params
    ADD CONSTRAINT trial_params_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_system_attributes
    ADD CONSTRAINT trial_system_attributes_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_user_attributes
    ADD CONSTRAINT trial_user_attributes_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_values
    ADD CONSTRAINT trial_values_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT trials_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.studies(study_id);
