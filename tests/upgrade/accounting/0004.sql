BEGIN TRANSACTION;
CREATE TABLE accounts (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR(255) DEFAULT '' NOT NULL, 
	description TEXT NOT NULL, 
	organization TEXT NOT NULL, 
	flags VARCHAR(255) DEFAULT '' NOT NULL, 
	deleted BIGINT DEFAULT '0' NOT NULL, 
	created DOUBLE DEFAULT '0' NOT NULL, 
	modified DOUBLE DEFAULT '0' NOT NULL, 
	CONSTRAINT uq_accounts_name_deleted UNIQUE (name, deleted)
);
INSERT INTO "accounts" VALUES(1,'root','default root account','root','',0,1699963200.0,1699963200.0);
INSERT INTO "accounts" VALUES(2,'default','account of those who have no other','default','',0,1699963200.0,1699963200.0);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0004');
CREATE TABLE association_usage (
	cluster_id BIGINT NOT NULL, 
	period VARCHAR(8) NOT NULL, 
	start BIGINT NOT NULL, 
	association_id BIGINT NOT NULL, 
	account VARCHAR(255) NOT NULL, 
	user_name VARCHAR(255) NOT NULL, 
	tres VARCHAR(128) NOT NULL, 
	seconds BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_association_usage PRIMARY KEY (cluster_id, period, start, association_id, account, user_name, tres)
);
INSERT INTO "association_usage" VALUES(1,'hour',1699963200,0,'physics','anna','cpu',28560);
INSERT INTO "association_usage" VALUES(1,'hour',1699963200,0,'physics','anna','mem',714000);
INSERT INTO "association_usage" VALUES(1,'hour',1699963200,0,'physics','anna','node',7140);
INSERT INTO "association_usage" VALUES(1,'hour',1699966800,0,'physics','anna','cpu',14400);
INSERT INTO "association_usage" VALUES(1,'hour',1699966800,0,'physics','anna','mem',360000);
INSERT INTO "association_usage" VALUES(1,'hour',1699966800,0,'physics','anna','node',3600);
CREATE TABLE associations (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	cluster_id BIGINT NOT NULL, 
	account VARCHAR(255) DEFAULT '' NOT NULL, 
	user_name VARCHAR(255) DEFAULT '' NOT NULL, 
	partition VARCHAR(255) DEFAULT '' NOT NULL, 
	parent_id BIGINT DEFAULT '0' NOT NULL, 
	lineage TEXT NOT NULL, 
	is_default SMALLINT DEFAULT '0' NOT NULL, 
	shares BIGINT DEFAULT '1' NOT NULL, 
	qos TEXT NOT NULL, 
	default_qos VARCHAR(255) DEFAULT '' NOT NULL, 
	limits TEXT NOT NULL, 
	comment TEXT NOT NULL, 
	flags VARCHAR(255) DEFAULT '' NOT NULL, 
	deleted BIGINT DEFAULT '0' NOT NULL, 
	created DOUBLE DEFAULT '0' NOT NULL, 
	modified DOUBLE DEFAULT '0' NOT NULL
, priority BIGINT);
INSERT INTO "associations" VALUES(1,1,'root','','',0,'/',0,1,'["normal"]','','{}','','',0,1699963200.0,1699963200.0,NULL);
INSERT INTO "associations" VALUES(2,1,'root','root','',1,'/0-root/',1,1,'["normal"]','','{}','','',0,1699963200.0,1699963200.0,NULL);
INSERT INTO "associations" VALUES(3,1,'default','','',1,'/default/',0,1,'["normal"]','','{}','','',0,1699963200.0,1699963200.0,NULL);
INSERT INTO "associations" VALUES(4,1,'default','anna','',3,'/default/0-anna/',1,1,'["normal"]','','{}','','',0,1699963200.0,1699963200.0,NULL);
CREATE TABLE cluster_events (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	cluster_id BIGINT DEFAULT '0' NOT NULL, 
	time_start DOUBLE DEFAULT '0' NOT NULL, 
	nodes TEXT NOT NULL, 
	tres TEXT NOT NULL, 
	CONSTRAINT uq_cluster_events_cluster_id_time_start UNIQUE (cluster_id, time_start)
);
INSERT INTO "cluster_events" VALUES(1,1,1699963200.0,'cn[01-02]','{"cpu":8,"gres/gpu":2}');
CREATE TABLE cluster_usage (
	cluster_id BIGINT NOT NULL, 
	period VARCHAR(8) NOT NULL, 
	start BIGINT NOT NULL, 
	tres VARCHAR(128) NOT NULL, 
	total BIGINT DEFAULT '0' NOT NULL, 
	allocated BIGINT DEFAULT '0' NOT NULL, 
	down BIGINT DEFAULT '0' NOT NULL, 
	planned_down BIGINT DEFAULT '0' NOT NULL, 
	idle BIGINT DEFAULT '0' NOT NULL, 
	planned BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_cluster_usage PRIMARY KEY (cluster_id, period, start, tres)
);
INSERT INTO "cluster_usage" VALUES(1,'hour',1699963200,'cpu',28800,28560,240,0,0,0);
INSERT INTO "cluster_usage" VALUES(1,'hour',1699963200,'gres/gpu',7200,0,0,0,7200,0);
INSERT INTO "cluster_usage" VALUES(1,'hour',1699963200,'mem',714000,714000,0,0,0,0);
INSERT INTO "cluster_usage" VALUES(1,'hour',1699963200,'node',7140,7140,0,0,0,0);
INSERT INTO "cluster_usage" VALUES(1,'hour',1699966800,'cpu',28800,14400,0,0,0,14400);
INSERT INTO "cluster_usage" VALUES(1,'hour',1699966800,'gres/gpu',7200,0,0,0,7200,0);
INSERT INTO "cluster_usage" VALUES(1,'hour',1699966800,'mem',360000,360000,0,0,0,0);
INSERT INTO "cluster_usage" VALUES(1,'hour',1699966800,'node',3600,3600,0,0,0,0);
CREATE TABLE clusters (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR(255) DEFAULT '' NOT NULL, 
	time_zone VARCHAR(255) DEFAULT '' NOT NULL, 
	control_host VARCHAR(255) DEFAULT '' NOT NULL, 
	control_port BIGINT DEFAULT '0' NOT NULL, 
	rpc_version BIGINT DEFAULT '0' NOT NULL, 
	version VARCHAR(255) DEFAULT '' NOT NULL, 
	flags VARCHAR(255) DEFAULT '' NOT NULL, 
	embedded BIGINT DEFAULT '0' NOT NULL, 
	deleted BIGINT DEFAULT '0' NOT NULL, 
	registered DOUBLE DEFAULT '0' NOT NULL, 
	highest_job BIGINT DEFAULT '0' NOT NULL, 
	complete_until DOUBLE DEFAULT '0' NOT NULL, 
	CONSTRAINT uq_clusters_name UNIQUE (name)
);
INSERT INTO "clusters" VALUES(1,'c','Europe/Berlin','',0,0,'','',1,0,1699963200.0,3,0.0);
CREATE TABLE coordinators (
	account VARCHAR(255) NOT NULL, 
	user_name VARCHAR(255) NOT NULL, 
	CONSTRAINT pk_coordinators PRIMARY KEY (account, user_name)
);
CREATE TABLE dirty_hours (
	cluster_id BIGINT NOT NULL, 
	start BIGINT NOT NULL, 
	CONSTRAINT pk_dirty_hours PRIMARY KEY (cluster_id, start)
);
CREATE TABLE jobs (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	cluster_id BIGINT DEFAULT '0' NOT NULL, 
	job_id BIGINT DEFAULT '0' NOT NULL, 
	restarts BIGINT DEFAULT '0' NOT NULL, 
	reused BIGINT DEFAULT '0' NOT NULL, 
	latest BIGINT DEFAULT '1' NOT NULL, 
	set_id BIGINT, 
	array_task BIGINT, 
	tasks BIGINT DEFAULT '1' NOT NULL, 
	uid BIGINT DEFAULT '0' NOT NULL, 
	gid BIGINT DEFAULT '0' NOT NULL, 
	user_name VARCHAR(255) DEFAULT '' NOT NULL, 
	account VARCHAR(255) DEFAULT '' NOT NULL, 
	association_id BIGINT DEFAULT '0' NOT NULL, 
	qos VARCHAR(255) DEFAULT '' NOT NULL, 
	wckey VARCHAR(255) DEFAULT '' NOT NULL, 
	partition VARCHAR(255) DEFAULT '' NOT NULL, 
	reservation VARCHAR(255) DEFAULT '' NOT NULL, 
	state BIGINT DEFAULT '0' NOT NULL, 
	flags VARCHAR(255) DEFAULT '' NOT NULL, 
	node_count BIGINT DEFAULT '0' NOT NULL, 
	cpus BIGINT DEFAULT '0' NOT NULL, 
	time_limit BIGINT DEFAULT '-1' NOT NULL, 
	time_submit DOUBLE DEFAULT '0' NOT NULL, 
	time_eligible DOUBLE DEFAULT '0' NOT NULL, 
	time_start DOUBLE DEFAULT '0' NOT NULL, 
	time_end DOUBLE DEFAULT '0' NOT NULL, 
	time_over DOUBLE NOT NULL, 
	script VARCHAR(64) DEFAULT '' NOT NULL, 
	environment VARCHAR(64) DEFAULT '' NOT NULL, 
	job_name TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	constraints TEXT NOT NULL, 
	nodes TEXT NOT NULL, 
	allocated TEXT NOT NULL, 
	record TEXT NOT NULL, 
	CONSTRAINT uq_jobs_job_id_cluster_id_restarts_reused UNIQUE (job_id, cluster_id, restarts, reused)
);
INSERT INTO "jobs" VALUES(1,1,1,0,0,1,NULL,NULL,1,1000,100,'anna','physics',0,'','w','debug','',3,'',1,4,-1,1699963200.0,1699963200.0,1699963200.0,1699966800.0,1699966800.0,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','','work','','','cn01','{"cpu":4,"mem":100,"node":1}','{"type":"job","id":1,"uid":1000,"gid":100,"user":"anna","group":"users","account":"physics","wckey":"w","partition":"debug","name":"work","comment":"kept","script":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","state":3,"submit_time":1699963200,"eligible_time":1699963200,"start_time":1699963200,"end_time":1699966800,"cpus_requested":4,"nodes_requested":1,"requested":{"cpu":4,"mem":100,"node":1},"allocated":{"cpu":4,"mem":100,"node":1},"nodes":"cn01"}');
INSERT INTO "jobs" VALUES(2,1,2,0,0,0,NULL,NULL,1,1000,100,'anna','physics',0,'','','debug','',1,'requeued',1,4,-1,1699963200.0,1699963200.0,1699963200.0,0.0,1000000000000.0,'','','work','','','cn01','{"cpu":4,"mem":100,"node":1}','{"type":"job","id":2,"uid":1000,"gid":100,"user":"anna","group":"users","account":"physics","partition":"debug","name":"work","state":1,"flags":["requeued"],"submit_time":1699963200,"eligible_time":1699963200,"start_time":1699963200,"end_time":0.0,"cpus_requested":4,"nodes_requested":1,"requested":{"cpu":4,"mem":100,"node":1},"allocated":{"cpu":4,"mem":100,"node":1},"nodes":"cn01"}');
INSERT INTO "jobs" VALUES(3,1,2,1,0,1,NULL,NULL,1,1000,100,'anna','physics',0,'','','debug','',0,'',1,4,-1,1699963200.0,1699963200.0,0.0,0.0,1000000000000.0,'','','work','','','','{"cpu":4,"mem":100,"node":1}','{"type":"job","id":2,"restarts":1,"uid":1000,"gid":100,"user":"anna","group":"users","account":"physics","partition":"debug","name":"work","submit_time":1699963200,"eligible_time":1699963200,"start_time":0.0,"end_time":0.0,"cpus_requested":4,"nodes_requested":1,"requested":{"cpu":4,"mem":100,"node":1}}');
INSERT INTO "jobs" VALUES(4,1,3,0,0,1,3,NULL,9,1000,100,'anna','default',4,'','','debug','',0,'',1,4,-1,1699963200.0,1699963200.0,0.0,0.0,1000000000000.0,'','','work','','','','{"cpu":4,"mem":100,"node":1}','{"type":"job","id":3,"array_job":3,"array_tasks":"1-9","uid":1000,"gid":100,"user":"anna","group":"users","account":"default","association":4,"partition":"debug","name":"work","submit_time":1699963200,"eligible_time":1699963200,"start_time":0.0,"end_time":0.0,"cpus_requested":4,"nodes_requested":1,"requested":{"cpu":4,"mem":100,"node":1}}');
CREATE TABLE journals (
	cluster_id BIGINT NOT NULL, 
	journal VARCHAR(64) NOT NULL, 
	last_sequence BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_journals PRIMARY KEY (cluster_id, journal)
);
INSERT INTO "journals" VALUES(1,'j1',9);
CREATE TABLE node_events (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	cluster_id BIGINT DEFAULT '0' NOT NULL, 
	node VARCHAR(255) DEFAULT '' NOT NULL, 
	time_start DOUBLE DEFAULT '0' NOT NULL, 
	time_end DOUBLE DEFAULT '0' NOT NULL, 
	time_over DOUBLE NOT NULL, 
	state VARCHAR(255) DEFAULT '' NOT NULL, 
	record TEXT NOT NULL, 
	CONSTRAINT uq_node_events_cluster_id_node_time_start UNIQUE (cluster_id, node, time_start)
);
INSERT INTO "node_events" VALUES(1,1,'cn02',1699963200.0,1699963260.0,1699963260.0,'DOWN','{"type":"node","node":"cn02","start_time":1699963200,"end_time":1699963260,"state":"DOWN","tres":{"cpu":4}}');
CREATE TABLE payloads (
	digest VARCHAR(64) NOT NULL, 
	what VARCHAR(16) NOT NULL, 
	arrived DOUBLE DEFAULT '0' NOT NULL, 
	content BLOB NOT NULL, 
	CONSTRAINT pk_payloads PRIMARY KEY (digest)
);
INSERT INTO "payloads" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','script',1699963200.0,X'23212F62696E2F73680A');
CREATE TABLE qos (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR(255) DEFAULT '' NOT NULL, 
	description TEXT NOT NULL, 
	priority BIGINT DEFAULT '0' NOT NULL, 
	flags VARCHAR(255) DEFAULT '' NOT NULL, 
	preempt TEXT NOT NULL, 
	preempt_mode VARCHAR(255) DEFAULT '' NOT NULL, 
	limits TEXT NOT NULL, 
	deleted BIGINT DEFAULT '0' NOT NULL, 
	created DOUBLE DEFAULT '0' NOT NULL, 
	modified DOUBLE DEFAULT '0' NOT NULL, grace_time BIGINT DEFAULT '0' NOT NULL, preempt_exempt_time BIGINT, usage_factor DOUBLE DEFAULT '1' NOT NULL, usage_threshold DOUBLE, limit_factor DOUBLE, 
	CONSTRAINT uq_qos_name_deleted UNIQUE (name, deleted)
);
INSERT INTO "qos" VALUES(1,'normal','Normal QOS default',0,'','','','{}',0,1699963200.0,1699963200.0,0,NULL,1.0,NULL,NULL);
INSERT INTO "qos" VALUES(2,'kept','kept',0,'','','','{"MaxWallDurationPerJob":{"":60}}',0,1.79602965378259921071e+09,1.79602965378259921071e+09,60,NULL,1.0,NULL,NULL);
CREATE TABLE reservations (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	cluster_id BIGINT DEFAULT '0' NOT NULL, 
	reservation_id BIGINT DEFAULT '0' NOT NULL, 
	occurrence DOUBLE DEFAULT '0' NOT NULL, 
	time_start DOUBLE DEFAULT '0' NOT NULL, 
	time_end DOUBLE DEFAULT '0' NOT NULL, 
	name VARCHAR(255) DEFAULT '' NOT NULL, 
	record TEXT NOT NULL, 
	CONSTRAINT uq_reservations_cluster_id_reservation_id_occurrence_time_start UNIQUE (cluster_id, reservation_id, occurrence, time_start)
);
CREATE TABLE resource_clusters (
	resource_id BIGINT NOT NULL, 
	cluster_id BIGINT NOT NULL, 
	allowed BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_resource_clusters PRIMARY KEY (resource_id, cluster_id)
);
CREATE TABLE resources (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR(255) DEFAULT '' NOT NULL, 
	server VARCHAR(255) DEFAULT '' NOT NULL, 
	type VARCHAR(255) DEFAULT '' NOT NULL, 
	count BIGINT DEFAULT '0' NOT NULL, 
	description TEXT NOT NULL, 
	server_type VARCHAR(255) DEFAULT '' NOT NULL, 
	flags VARCHAR(255) DEFAULT '' NOT NULL, 
	last_consumed BIGINT DEFAULT '0' NOT NULL, 
	last_update DOUBLE DEFAULT '0' NOT NULL, 
	deleted BIGINT DEFAULT '0' NOT NULL, 
	created DOUBLE DEFAULT '0' NOT NULL, 
	modified DOUBLE DEFAULT '0' NOT NULL, 
	CONSTRAINT uq_resources_name_server_deleted UNIQUE (name, server, deleted)
);
CREATE TABLE rollups (
	cluster_id BIGINT NOT NULL, 
	hours_until DOUBLE DEFAULT '0' NOT NULL, 
	days_until DOUBLE DEFAULT '0' NOT NULL, 
	months_until DOUBLE DEFAULT '0' NOT NULL, 
	fixed_until DOUBLE DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_rollups PRIMARY KEY (cluster_id)
);
INSERT INTO "rollups" VALUES(1,1699970400.0,1699916400.0,1698793200.0,0.0);
CREATE TABLE steps (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	cluster_id BIGINT DEFAULT '0' NOT NULL, 
	job_id BIGINT DEFAULT '0' NOT NULL, 
	restarts BIGINT DEFAULT '0' NOT NULL, 
	reused BIGINT DEFAULT '0' NOT NULL, 
	step_id BIGINT DEFAULT '0' NOT NULL, 
	state BIGINT DEFAULT '0' NOT NULL, 
	time_start DOUBLE DEFAULT '0' NOT NULL, 
	time_end DOUBLE DEFAULT '0' NOT NULL, 
	record TEXT NOT NULL, 
	CONSTRAINT uq_steps_job_id_cluster_id_restarts_reused_step_id UNIQUE (job_id, cluster_id, restarts, reused, step_id)
);
INSERT INTO "steps" VALUES(1,1,1,0,0,-5,1,1699963200.0,1699966800.0,'{"type":"step","job":1,"step":-5,"name":"batch","start_time":1699963200,"end_time":1699966800}');
CREATE TABLE suspensions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	cluster_id BIGINT DEFAULT '0' NOT NULL, 
	job_id BIGINT DEFAULT '0' NOT NULL, 
	restarts BIGINT DEFAULT '0' NOT NULL, 
	reused BIGINT DEFAULT '0' NOT NULL, 
	time_start DOUBLE DEFAULT '0' NOT NULL, 
	time_end DOUBLE DEFAULT '0' NOT NULL, 
	time_over DOUBLE NOT NULL, 
	CONSTRAINT uq_suspensions_job_id_cluster_id_restarts_reused_time_start UNIQUE (job_id, cluster_id, restarts, reused, time_start)
);
INSERT INTO "suspensions" VALUES(1,1,1,0,0,1699963260.0,1699963320.0,1699963320.0);
CREATE TABLE transactions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	time DOUBLE NOT NULL, 
	actor VARCHAR(255) DEFAULT '' NOT NULL, 
	action VARCHAR(255) DEFAULT '' NOT NULL, 
	cluster VARCHAR(255) DEFAULT '' NOT NULL, 
	target TEXT NOT NULL, 
	info TEXT NOT NULL
);
INSERT INTO "transactions" VALUES(1,1.79602965378259921071e+09,'root','Add QOS','','kept','{"grace_time":"60","limits":"{\"MaxWallDurationPerJob\":{\"\":60}}"}');
CREATE TABLE tres (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	type VARCHAR(64) NOT NULL, 
	name VARCHAR(255) DEFAULT '' NOT NULL, 
	CONSTRAINT uq_tres_type_name UNIQUE (type, name)
);
INSERT INTO "tres" VALUES(1,'cpu','');
INSERT INTO "tres" VALUES(2,'mem','');
INSERT INTO "tres" VALUES(3,'energy','');
INSERT INTO "tres" VALUES(4,'node','');
INSERT INTO "tres" VALUES(5,'billing','');
INSERT INTO "tres" VALUES(6,'fs','disk');
INSERT INTO "tres" VALUES(7,'vmem','');
INSERT INTO "tres" VALUES(8,'pages','');
INSERT INTO "tres" VALUES(1001,'gres','gpu');
CREATE TABLE users (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR(255) DEFAULT '' NOT NULL, 
	admin_level VARCHAR(16) DEFAULT 'None' NOT NULL, 
	default_wckey VARCHAR(255) DEFAULT '' NOT NULL, 
	deleted BIGINT DEFAULT '0' NOT NULL, 
	created DOUBLE DEFAULT '0' NOT NULL, 
	modified DOUBLE DEFAULT '0' NOT NULL, 
	CONSTRAINT uq_users_name_deleted UNIQUE (name, deleted)
);
INSERT INTO "users" VALUES(1,'root','Administrator','',0,1699963200.0,1699963200.0);
INSERT INTO "users" VALUES(2,'anna','Administrator','',0,1699963200.0,1699963200.0);
CREATE TABLE wckey_usage (
	cluster_id BIGINT NOT NULL, 
	period VARCHAR(8) NOT NULL, 
	start BIGINT NOT NULL, 
	wckey VARCHAR(255) NOT NULL, 
	user_name VARCHAR(255) NOT NULL, 
	tres VARCHAR(128) NOT NULL, 
	seconds BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_wckey_usage PRIMARY KEY (cluster_id, period, start, wckey, user_name, tres)
);
INSERT INTO "wckey_usage" VALUES(1,'hour',1699963200,'w','anna','cpu',14160);
INSERT INTO "wckey_usage" VALUES(1,'hour',1699963200,'w','anna','mem',354000);
INSERT INTO "wckey_usage" VALUES(1,'hour',1699963200,'w','anna','node',3540);
CREATE TABLE wckeys (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	cluster_id BIGINT NOT NULL, 
	name VARCHAR(255) DEFAULT '' NOT NULL, 
	user_name VARCHAR(255) DEFAULT '' NOT NULL, 
	is_default SMALLINT DEFAULT '0' NOT NULL, 
	deleted BIGINT DEFAULT '0' NOT NULL, 
	created DOUBLE DEFAULT '0' NOT NULL, 
	modified DOUBLE DEFAULT '0' NOT NULL
);
CREATE INDEX ix_jobs_set_id ON jobs (set_id);
CREATE INDEX ix_jobs_user_name_time_over ON jobs (user_name, time_over);
CREATE INDEX ix_jobs_uid_time_over ON jobs (uid, time_over);
CREATE INDEX ix_jobs_account_time_over ON jobs (account, time_over);
CREATE INDEX ix_jobs_time_over_time_submit ON jobs (time_over, time_submit);
CREATE INDEX ix_steps_time_end ON steps (time_end);
CREATE INDEX ix_suspensions_time_over ON suspensions (time_over);
CREATE INDEX ix_node_events_time_over ON node_events (time_over);
CREATE INDEX ix_associations_cluster_id_account ON associations (cluster_id, account);
CREATE INDEX ix_associations_cluster_id_user_name ON associations (cluster_id, user_name);
CREATE INDEX ix_wckeys_cluster_id_user_name ON wckeys (cluster_id, user_name);
CREATE INDEX ix_transactions_time ON transactions (time);
CREATE INDEX ix_reservations_time_end ON reservations (time_end);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('tres',1001);
INSERT INTO "sqlite_sequence" VALUES('accounts',2);
INSERT INTO "sqlite_sequence" VALUES('users',2);
INSERT INTO "sqlite_sequence" VALUES('qos',2);
INSERT INTO "sqlite_sequence" VALUES('clusters',1);
INSERT INTO "sqlite_sequence" VALUES('associations',4);
INSERT INTO "sqlite_sequence" VALUES('jobs',4);
INSERT INTO "sqlite_sequence" VALUES('steps',1);
INSERT INTO "sqlite_sequence" VALUES('suspensions',1);
INSERT INTO "sqlite_sequence" VALUES('node_events',1);
INSERT INTO "sqlite_sequence" VALUES('cluster_events',1);
INSERT INTO "sqlite_sequence" VALUES('transactions',1);
COMMIT;
