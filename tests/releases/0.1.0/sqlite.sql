BEGIN TRANSACTION;
CREATE TABLE "api_token" ("id" INTEGER NOT NULL PRIMARY KEY, "token_hash" VARCHAR(64) NOT NULL, "user_id" INTEGER NOT NULL, "label" VARCHAR(100) NOT NULL, "created_at" REAL NOT NULL, "expires_at" REAL NOT NULL, FOREIGN KEY ("user_id") REFERENCES "user" ("id") ON DELETE CASCADE);
INSERT INTO "api_token" VALUES(1,'f8f83c0dd097277019a7ec918478a246ddc15e5cbfea0e328f10bff55c781f5a',1,'ünïcödé 🪨, ''single'' and "doubl',1767225600.0,4102444800.0);
INSERT INTO "api_token" VALUES(2,'4a0ffd01880bd8f65395f654f497639e065631ace6b5fb915bbf8c746e63a495',2,'ünïcödé 🪨, ''single'' and "doubl',1767225600.0,4102444800.0);
CREATE TABLE "app" ("id" INTEGER NOT NULL PRIMARY KEY, "name" VARCHAR(64) NOT NULL, "owner_id" INTEGER NOT NULL, "created_at" REAL NOT NULL, FOREIGN KEY ("owner_id") REFERENCES "user" ("id"));
INSERT INTO "app" VALUES(1,'digits',1,1767139200.0);
INSERT INTO "app" VALUES(2,'wordcount',1,1767139200.0);
CREATE TABLE "app_version" ("id" INTEGER NOT NULL PRIMARY KEY, "app_id" INTEGER NOT NULL, "hash" VARCHAR(64) NOT NULL, "manifest" TEXT NOT NULL, "size" INTEGER NOT NULL, "uploaded_at" REAL NOT NULL, FOREIGN KEY ("app_id") REFERENCES "app" ("id") ON DELETE CASCADE);
INSERT INTO "app_version" VALUES(1,1,'b5c92449f4f1c3e91f99cc73d7b27310c131762cd5c363175ade7eb0d8c9ecf7','{"name":"digits","entrypoint":"predict.py","description":"Reads handwritten digits, 8 by 8 pixels each, and says which they are.","requirements":"requirements.txt","inputs":{"required":true,"accept":[".csv"]},"outputs":["predictions.csv"],"parameters":{"threshold":{"default":"0.5","description":"Below this probability it says that it is unsure."},"top":{"description":"How many guesses to write for each digit."}},"resources":{"memory_mb":512,"cpus":1,"timeout_s":300.0,"disk_mb":1024,"processes":64},"needs":{"labels":[],"arch":[]},"retries":{"node_lost":3}}',454,1767139200.0);
INSERT INTO "app_version" VALUES(2,1,'127cabd75b61755868366239430f27f96d8937cb514d69993013fbf5f4b8af25','{"name":"digits","entrypoint":"predict.py","description":"Reads handwritten digits, 8 by 8 pixels each, and says which they are.","requirements":"requirements.txt","inputs":{"required":true,"accept":[".csv"]},"outputs":["predictions.csv"],"parameters":{"threshold":{"default":"0.5","description":"Below this probability it says that it is unsure."},"top":{"description":"How many guesses to write for each digit."}},"resources":{"memory_mb":512,"cpus":1,"timeout_s":300.0,"disk_mb":1024,"processes":64},"needs":{"labels":[],"arch":[]},"retries":{"node_lost":3}}',463,1767139200.0);
INSERT INTO "app_version" VALUES(3,2,'ca022f1685672ac84551ac15c0e19937f449b1412069fa39b09b7c7fd38598bb','{"name":"wordcount","entrypoint":"wordcount.py","description":"","requirements":null,"inputs":{"required":false,"accept":[]},"outputs":["predictions.csv"],"parameters":null,"resources":{"memory_mb":512,"cpus":1,"timeout_s":300.0,"disk_mb":1024,"processes":64},"needs":{"labels":[],"arch":[]},"retries":{}}',15,1767139200.0);
CREATE TABLE "attempt" ("id" INTEGER NOT NULL PRIMARY KEY, "job_id" VARCHAR(26) NOT NULL, "number" INTEGER NOT NULL, "node" VARCHAR(32) NOT NULL, "state" VARCHAR(16) NOT NULL, "placement" TEXT NOT NULL, "published_at" REAL, "placed_at" REAL NOT NULL, "claimed_at" REAL, "preparing" VARCHAR(200) NOT NULL, "started_at" REAL, "ended_at" REAL, "cause" VARCHAR(16), "message" TEXT NOT NULL, "exit_code" INTEGER, "outputs" TEXT NOT NULL, "log_lines" INTEGER, "usage" TEXT, FOREIGN KEY ("job_id") REFERENCES "job" ("id") ON DELETE CASCADE);
INSERT INTO "attempt" VALUES(1,'01KDP8VW00DHW93DTR98H6BCFN',1,'beta','ended','{"node":"beta","sentence":"beta won: alpha has 12% of its CPU free, beta 91%","ranking":[{"node":"beta","score":{"value":7.506980462056305,"load":21.930997552019583,"performance":0.34230000000000005,"temperature_factor":1.0,"free_cpu_percent":91.3,"free_memory_percent":78.5,"free_memory_gb":15.9,"events_per_second":1423.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2},{"node":"alpha","score":{"value":1.086823529411765,"load":3.647058823529412,"performance":0.29800000000000004,"temperature_factor":1.0,"free_cpu_percent":12.4,"free_memory_percent":31.0,"free_memory_gb":8.2,"events_per_second":980.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2}],"excluded":{"state":1},"considered":3}',1767052800.012,1767052800.012,1767052800.016,'',1.76705280141200017935e+09,1.7670528042120001316e+09,'cancelled','',0,'[]',1,'{"wall_s":2.8,"cpu_s":2.31,"peak_memory_mb":143.2}');
INSERT INTO "attempt" VALUES(2,'01KDRV8K00109W71NVRK6P2FHG',1,'beta','ended','{"node":"beta","sentence":"beta won: alpha has 12% of its CPU free, beta 91%","ranking":[{"node":"beta","score":{"value":7.506980462056305,"load":21.930997552019583,"performance":0.34230000000000005,"temperature_factor":1.0,"free_cpu_percent":91.3,"free_memory_percent":78.5,"free_memory_gb":15.9,"events_per_second":1423.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2},{"node":"alpha","score":{"value":1.086823529411765,"load":3.647058823529412,"performance":0.29800000000000004,"temperature_factor":1.0,"free_cpu_percent":12.4,"free_memory_percent":31.0,"free_memory_gb":8.2,"events_per_second":980.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2}],"excluded":{"state":1},"considered":3}',1767139200.012,1767139200.012,1767139200.016,'',1.76713920141200017928e+09,1.76713920421200013166e+09,'out_of_memory','used 612 MB of the 512 MB it asked for',-9,'[]',1,'{"wall_s":2.8,"cpu_s":2.31,"peak_memory_mb":143.2}');
INSERT INTO "attempt" VALUES(3,'01KDV6SJR07XN1WBZBH50MRD1W',1,'beta','ended','{"node":"beta","sentence":"beta won: alpha has 12% of its CPU free, beta 91%","ranking":[{"node":"beta","score":{"value":7.506980462056305,"load":21.930997552019583,"performance":0.34230000000000005,"temperature_factor":1.0,"free_cpu_percent":91.3,"free_memory_percent":78.5,"free_memory_gb":15.9,"events_per_second":1423.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2},{"node":"alpha","score":{"value":1.086823529411765,"load":3.647058823529412,"performance":0.29800000000000004,"temperature_factor":1.0,"free_cpu_percent":12.4,"free_memory_percent":31.0,"free_memory_gb":8.2,"events_per_second":980.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2}],"excluded":{"state":1},"considered":3}',1767218400.012,1767218400.012,1767218400.016,'',1.76721840141200017921e+09,1.76721840421200013159e+09,'app_error','exit code 1',1,'[]',7,'{"wall_s":2.8,"cpu_s":2.31,"peak_memory_mb":143.2}');
INSERT INTO "attempt" VALUES(4,'01KDV7Y6M07HS764ERMF1CWVT4',1,'beta','ended','{"node":"beta","sentence":"beta won: alpha has 12% of its CPU free, beta 91%","ranking":[{"node":"beta","score":{"value":7.506980462056305,"load":21.930997552019583,"performance":0.34230000000000005,"temperature_factor":1.0,"free_cpu_percent":91.3,"free_memory_percent":78.5,"free_memory_gb":15.9,"events_per_second":1423.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2},{"node":"alpha","score":{"value":1.086823529411765,"load":3.647058823529412,"performance":0.29800000000000004,"temperature_factor":1.0,"free_cpu_percent":12.4,"free_memory_percent":31.0,"free_memory_gb":8.2,"events_per_second":980.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2}],"excluded":{"state":1},"considered":3}',1767219600.012,1767219600.012,1767219600.016,'',1.76721960141200017928e+09,1.76721960421200013167e+09,'ok','',0,'[]',1,'{"wall_s":2.8,"cpu_s":2.31,"peak_memory_mb":143.2}');
INSERT INTO "attempt" VALUES(5,'01KDV7YGCGCKT62BKPJTKCXK0V',1,'beta','ended','{"node":"beta","sentence":"beta won: alpha has 12% of its CPU free, beta 91%","ranking":[{"node":"beta","score":{"value":7.506980462056305,"load":21.930997552019583,"performance":0.34230000000000005,"temperature_factor":1.0,"free_cpu_percent":91.3,"free_memory_percent":78.5,"free_memory_gb":15.9,"events_per_second":1423.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2},{"node":"alpha","score":{"value":1.086823529411765,"load":3.647058823529412,"performance":0.29800000000000004,"temperature_factor":1.0,"free_cpu_percent":12.4,"free_memory_percent":31.0,"free_memory_gb":8.2,"events_per_second":980.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2}],"excluded":{"state":1},"considered":3}',1767219610.012,1767219610.012,1767219610.016,'',1.76721961141200017931e+09,1.76721961421200013161e+09,'ok','',0,'[]',1,'{"wall_s":2.8,"cpu_s":2.31,"peak_memory_mb":143.2}');
INSERT INTO "attempt" VALUES(6,'01KDV7YT507SS1G1SEHGTVZ69D',1,'beta','ended','{"node":"beta","sentence":"beta won: alpha has 12% of its CPU free, beta 91%","ranking":[{"node":"beta","score":{"value":7.506980462056305,"load":21.930997552019583,"performance":0.34230000000000005,"temperature_factor":1.0,"free_cpu_percent":91.3,"free_memory_percent":78.5,"free_memory_gb":15.9,"events_per_second":1423.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2},{"node":"alpha","score":{"value":1.086823529411765,"load":3.647058823529412,"performance":0.29800000000000004,"temperature_factor":1.0,"free_cpu_percent":12.4,"free_memory_percent":31.0,"free_memory_gb":8.2,"events_per_second":980.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2}],"excluded":{"state":1},"considered":3}',1767219620.012,1767219620.012,1767219620.016,'',1.76721962141200017925e+09,1.76721962421200013164e+09,'ok','',0,'[]',1,'{"wall_s":2.8,"cpu_s":2.31,"peak_memory_mb":143.2}');
INSERT INTO "attempt" VALUES(7,'01KDV7Z3XGDBXE9C3CWR3M3HX8',1,'beta','ended','{"node":"beta","sentence":"beta won: alpha has 12% of its CPU free, beta 91%","ranking":[{"node":"beta","score":{"value":7.506980462056305,"load":21.930997552019583,"performance":0.34230000000000005,"temperature_factor":1.0,"free_cpu_percent":91.3,"free_memory_percent":78.5,"free_memory_gb":15.9,"events_per_second":1423.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2},{"node":"alpha","score":{"value":1.086823529411765,"load":3.647058823529412,"performance":0.29800000000000004,"temperature_factor":1.0,"free_cpu_percent":12.4,"free_memory_percent":31.0,"free_memory_gb":8.2,"events_per_second":980.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2}],"excluded":{"state":1},"considered":3}',1767219630.012,1767219630.012,1767219630.016,'',1.76721963141200017928e+09,1.76721963421200013158e+09,'ok','',0,'[]',1,'{"wall_s":2.8,"cpu_s":2.31,"peak_memory_mb":143.2}');
INSERT INTO "attempt" VALUES(8,'01KDV7ZDP09Q06XJEJGSHWN0MD',1,'beta','ended','{"node":"beta","sentence":"beta won: alpha has 12% of its CPU free, beta 91%","ranking":[{"node":"beta","score":{"value":7.506980462056305,"load":21.930997552019583,"performance":0.34230000000000005,"temperature_factor":1.0,"free_cpu_percent":91.3,"free_memory_percent":78.5,"free_memory_gb":15.9,"events_per_second":1423.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2},{"node":"alpha","score":{"value":1.086823529411765,"load":3.647058823529412,"performance":0.29800000000000004,"temperature_factor":1.0,"free_cpu_percent":12.4,"free_memory_percent":31.0,"free_memory_gb":8.2,"events_per_second":980.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2}],"excluded":{"state":1},"considered":3}',1767219640.012,1767219640.012,1767219640.016,'',1.76721964141200017922e+09,1.7672196442120001316e+09,'ok','',0,'[]',1,'{"wall_s":2.8,"cpu_s":2.31,"peak_memory_mb":143.2}');
INSERT INTO "attempt" VALUES(9,'01KDV7ZQEG012W8S3HB71J9JC5',1,'beta','ended','{"node":"beta","sentence":"beta won: alpha has 12% of its CPU free, beta 91%","ranking":[{"node":"beta","score":{"value":7.506980462056305,"load":21.930997552019583,"performance":0.34230000000000005,"temperature_factor":1.0,"free_cpu_percent":91.3,"free_memory_percent":78.5,"free_memory_gb":15.9,"events_per_second":1423.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2},{"node":"alpha","score":{"value":1.086823529411765,"load":3.647058823529412,"performance":0.29800000000000004,"temperature_factor":1.0,"free_cpu_percent":12.4,"free_memory_percent":31.0,"free_memory_gb":8.2,"events_per_second":980.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2}],"excluded":{"state":1},"considered":3}',1767219650.012,1767219650.012,1767219650.016,'',1.76721965141200017929e+09,1.76721965421200013154e+09,'ok','',0,'[]',1,'{"wall_s":2.8,"cpu_s":2.31,"peak_memory_mb":143.2}');
INSERT INTO "attempt" VALUES(10,'01KDV8017048BQ41755PS246JR',1,'beta','ended','{"node":"beta","sentence":"beta won: alpha has 12% of its CPU free, beta 91%","ranking":[{"node":"beta","score":{"value":7.506980462056305,"load":21.930997552019583,"performance":0.34230000000000005,"temperature_factor":1.0,"free_cpu_percent":91.3,"free_memory_percent":78.5,"free_memory_gb":15.9,"events_per_second":1423.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2},{"node":"alpha","score":{"value":1.086823529411765,"load":3.647058823529412,"performance":0.29800000000000004,"temperature_factor":1.0,"free_cpu_percent":12.4,"free_memory_percent":31.0,"free_memory_gb":8.2,"events_per_second":980.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2}],"excluded":{"state":1},"considered":3}',1767219660.012,1767219660.012,1767219660.016,'',1.76721966141200017923e+09,1.76721966421200013161e+09,'ok','',0,'[]',1,'{"wall_s":2.8,"cpu_s":2.31,"peak_memory_mb":143.2}');
INSERT INTO "attempt" VALUES(11,'01KDV80AZG3N4CTH3Y6PWBDP7Y',1,'beta','ended','{"node":"beta","sentence":"beta won: alpha has 12% of its CPU free, beta 91%","ranking":[{"node":"beta","score":{"value":7.506980462056305,"load":21.930997552019583,"performance":0.34230000000000005,"temperature_factor":1.0,"free_cpu_percent":91.3,"free_memory_percent":78.5,"free_memory_gb":15.9,"events_per_second":1423.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2},{"node":"alpha","score":{"value":1.086823529411765,"load":3.647058823529412,"performance":0.29800000000000004,"temperature_factor":1.0,"free_cpu_percent":12.4,"free_memory_percent":31.0,"free_memory_gb":8.2,"events_per_second":980.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2}],"excluded":{"state":1},"considered":3}',1767219670.012,1767219670.012,1767219670.016,'',1.7672196714120001793e+09,1.76721967421200013156e+09,'ok','',0,'[]',1,'{"wall_s":2.8,"cpu_s":2.31,"peak_memory_mb":143.2}');
INSERT INTO "attempt" VALUES(12,'01KDV80MR01MAZ3ZA2MABNBN61',1,'beta','ended','{"node":"beta","sentence":"beta won: alpha has 12% of its CPU free, beta 91%","ranking":[{"node":"beta","score":{"value":7.506980462056305,"load":21.930997552019583,"performance":0.34230000000000005,"temperature_factor":1.0,"free_cpu_percent":91.3,"free_memory_percent":78.5,"free_memory_gb":15.9,"events_per_second":1423.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2},{"node":"alpha","score":{"value":1.086823529411765,"load":3.647058823529412,"performance":0.29800000000000004,"temperature_factor":1.0,"free_cpu_percent":12.4,"free_memory_percent":31.0,"free_memory_gb":8.2,"events_per_second":980.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2}],"excluded":{"state":1},"considered":3}',1767219680.012,1767219680.012,1767219680.016,'',1.76721968141200017933e+09,1.76721968421200013163e+09,'ok','',0,'[]',1,'{"wall_s":2.8,"cpu_s":2.31,"peak_memory_mb":143.2}');
INSERT INTO "attempt" VALUES(13,'01KDV80YGG0FN52GRHJFKC7WSS',1,'beta','ended','{"node":"beta","sentence":"beta won: alpha has 12% of its CPU free, beta 91%","ranking":[{"node":"beta","score":{"value":7.506980462056305,"load":21.930997552019583,"performance":0.34230000000000005,"temperature_factor":1.0,"free_cpu_percent":91.3,"free_memory_percent":78.5,"free_memory_gb":15.9,"events_per_second":1423.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2},{"node":"alpha","score":{"value":1.086823529411765,"load":3.647058823529412,"performance":0.29800000000000004,"temperature_factor":1.0,"free_cpu_percent":12.4,"free_memory_percent":31.0,"free_memory_gb":8.2,"events_per_second":980.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2}],"excluded":{"state":1},"considered":3}',1767219690.012,1767219690.012,1767219690.016,'',1.76721969141200017927e+09,1.76721969421200013165e+09,'ok','',0,'[]',1,'{"wall_s":2.8,"cpu_s":2.31,"peak_memory_mb":143.2}');
INSERT INTO "attempt" VALUES(64,'01KDVDC51086CVV4D1PZR3XQ57',1,'beta','ended','{"node":"beta","sentence":"beta won: alpha has 12% of its CPU free, beta 91%","ranking":[{"node":"beta","score":{"value":7.506980462056305,"load":21.930997552019583,"performance":0.34230000000000005,"temperature_factor":1.0,"free_cpu_percent":91.3,"free_memory_percent":78.5,"free_memory_gb":15.9,"events_per_second":1423.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2},{"node":"alpha","score":{"value":1.086823529411765,"load":3.647058823529412,"performance":0.29800000000000004,"temperature_factor":1.0,"free_cpu_percent":12.4,"free_memory_percent":31.0,"free_memory_gb":8.2,"events_per_second":980.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2}],"excluded":{"state":1},"considered":3}',1767225300.012,1767225300.012,1767225300.016,'',1.76722530141200017926e+09,1.76722530421200013164e+09,'ok','',0,'[{"name":"predictions.csv","size":5322,"sha256":"36c9c86877f8ff27576ffca5d08046c99bb327e6b132951612f249d65ca78a79"}]',60,'{"wall_s":2.8,"cpu_s":2.31,"peak_memory_mb":143.2}');
INSERT INTO "attempt" VALUES(65,'01KDVDC51086CVV4D1PZR3XQ58',1,'harbour','ended','{"node":"harbour","sentence":"harbour won: alpha has 12% of its CPU free, harbour 91%","ranking":[{"node":"harbour","score":{"value":7.506980462056305,"load":21.930997552019583,"performance":0.34230000000000005,"temperature_factor":1.0,"free_cpu_percent":91.3,"free_memory_percent":78.5,"free_memory_gb":15.9,"events_per_second":1423.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2},{"node":"alpha","score":{"value":1.086823529411765,"load":3.647058823529412,"performance":0.29800000000000004,"temperature_factor":1.0,"free_cpu_percent":12.4,"free_memory_percent":31.0,"free_memory_gb":8.2,"events_per_second":980.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2}],"excluded":{"state":1},"considered":3}',1767224100.012,1767224100.012,1767224100.016,'',1.76722410141200017932e+09,1.76722410421200013157e+09,'node_lost','harbour has not been heard for 45 s',NULL,'[]',0,'{"wall_s":2.8,"cpu_s":2.31,"peak_memory_mb":143.2}');
INSERT INTO "attempt" VALUES(66,'01KDVDC51086CVV4D1PZR3XQ58',2,'beta','ended','{"node":"beta","sentence":"beta won: alpha has 12% of its CPU free, beta 91%","ranking":[{"node":"beta","score":{"value":7.506980462056305,"load":21.930997552019583,"performance":0.34230000000000005,"temperature_factor":1.0,"free_cpu_percent":91.3,"free_memory_percent":78.5,"free_memory_gb":15.9,"events_per_second":1423.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2},{"node":"alpha","score":{"value":1.086823529411765,"load":3.647058823529412,"performance":0.29800000000000004,"temperature_factor":1.0,"free_cpu_percent":12.4,"free_memory_percent":31.0,"free_memory_gb":8.2,"events_per_second":980.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2}],"excluded":{"state":1},"considered":3}',1767224160.012,1767224160.012,1767224160.016,'',1.76722416141200017927e+09,1.76722416421200013156e+09,'ok','',NULL,'[]',2,'{"wall_s":2.8,"cpu_s":2.31,"peak_memory_mb":143.2}');
INSERT INTO "attempt" VALUES(67,'01KDVDM1YR89J225KXHZ7J7JQ8',1,'beta','running','{"node":"beta","sentence":"beta won: alpha has 12% of its CPU free, beta 91%","ranking":[{"node":"beta","score":{"value":7.506980462056305,"load":21.930997552019583,"performance":0.34230000000000005,"temperature_factor":1.0,"free_cpu_percent":91.3,"free_memory_percent":78.5,"free_memory_gb":15.9,"events_per_second":1423.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2},{"node":"alpha","score":{"value":1.086823529411765,"load":3.647058823529412,"performance":0.29800000000000004,"temperature_factor":1.0,"free_cpu_percent":12.4,"free_memory_percent":31.0,"free_memory_gb":8.2,"events_per_second":980.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2}],"excluded":{"state":1},"considered":3}',1767225559.012,1767225559.012,1767225559.016,'installing requirements',1.76722556041200017928e+09,NULL,NULL,'',NULL,'[]',NULL,NULL);
INSERT INTO "attempt" VALUES(68,'01KDVDN630396RZD965K3G7039',1,'beta','claimed','{"node":"beta","sentence":"beta won: alpha has 12% of its CPU free, beta 91%","ranking":[{"node":"beta","score":{"value":7.506980462056305,"load":21.930997552019583,"performance":0.34230000000000005,"temperature_factor":1.0,"free_cpu_percent":91.3,"free_memory_percent":78.5,"free_memory_gb":15.9,"events_per_second":1423.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2},{"node":"alpha","score":{"value":1.086823529411765,"load":3.647058823529412,"performance":0.29800000000000004,"temperature_factor":1.0,"free_cpu_percent":12.4,"free_memory_percent":31.0,"free_memory_gb":8.2,"events_per_second":980.0,"temperature_c":null,"pending_attempts":0},"live":1,"slots":2}],"excluded":{"state":1},"considered":3}',1767225596.012,1767225596.012,1767225596.016,'installing requirements: numpy, scikit-learn',NULL,NULL,NULL,'',NULL,'[]',NULL,NULL);
INSERT INTO "attempt" VALUES(69,'01KDVDNA000WQZ686DAXPH8HTV',1,'beta','ended','{"sentence":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","ranking":[]}',1767225600.2,1767225600.1,1767225600.3,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',1767225600.4,1767225603.0625,'ok','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',-9,'[]',2,'{"wall_s":0.3333333333333333,"cpu_s":1e-9}');
INSERT INTO "attempt" VALUES(70,'01KDVDNAZ85TQXXE7W9HXJJZ8B',1,'beta','ended','{"sentence":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","ranking":[]}',1767225600.2,1767225600.1,1767225600.3,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',1767225600.4,1767225603.0625,'app_error','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',-9,'[]',2,'{"wall_s":0.3333333333333333,"cpu_s":1e-9}');
INSERT INTO "attempt" VALUES(71,'01KDVDNBYG36A8VV9WJT8YPYFT',1,'beta','ended','{"sentence":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","ranking":[]}',1767225600.2,1767225600.1,1767225600.3,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',1767225600.4,1767225603.0625,'timeout','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',-9,'[]',2,'{"wall_s":0.3333333333333333,"cpu_s":1e-9}');
INSERT INTO "attempt" VALUES(72,'01KDVDNCXR6KN82DAWAFRECGQM',1,'beta','ended','{"sentence":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","ranking":[]}',1767225600.2,1767225600.1,1767225600.3,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',1767225600.4,1767225603.0625,'out_of_memory','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',-9,'[]',2,'{"wall_s":0.3333333333333333,"cpu_s":1e-9}');
INSERT INTO "attempt" VALUES(73,'01KDVDNDX05PNX0DYDZXY283A9',1,'beta','ended','{"sentence":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","ranking":[]}',1767225600.2,1767225600.1,1767225600.3,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',1767225600.4,1767225603.0625,'node_lost','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',-9,'[]',2,'{"wall_s":0.3333333333333333,"cpu_s":1e-9}');
INSERT INTO "attempt" VALUES(74,'01KDVDNEW800SNH64G11N1FEDF',1,'beta','ended','{"sentence":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","ranking":[]}',1767225600.2,1767225600.1,1767225600.3,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',1767225600.4,1767225603.0625,'rejected','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',-9,'[]',2,'{"wall_s":0.3333333333333333,"cpu_s":1e-9}');
INSERT INTO "attempt" VALUES(75,'01KDVDNFVG9Z78MH4YQT4XKFR2',1,'beta','ended','{"sentence":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","ranking":[]}',1767225600.2,1767225600.1,1767225600.3,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',1767225600.4,1767225603.0625,'cancelled','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',-9,'[]',2,'{"wall_s":0.3333333333333333,"cpu_s":1e-9}');
INSERT INTO "attempt" VALUES(76,'01KDVDNXH059H9SJDF9V4N8TT3',1,'beta','ended','{"sentence":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","ranking":[]}',1767225600.2,1767225600.1,1767225600.3,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',1767225600.4,1767225601.0,'node_lost','',NULL,'[]',NULL,'{"wall_s":0.3333333333333333,"cpu_s":1e-9}');
INSERT INTO "attempt" VALUES(77,'01KDVDNXH059H9SJDF9V4N8TT3',2,'beta','placed','{"sentence":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","ranking":[]}',NULL,1767225600.1,NULL,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',NULL,NULL,NULL,'',NULL,'[]',NULL,NULL);
INSERT INTO "attempt" VALUES(78,'01KDVDNYG80EA9K40W0HTMJ6Y3',1,'beta','ended','{"sentence":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","ranking":[]}',1767225600.2,1767225600.1,1767225600.3,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',1767225600.4,1767225601.0,'node_lost','',NULL,'[]',NULL,'{"wall_s":0.3333333333333333,"cpu_s":1e-9}');
INSERT INTO "attempt" VALUES(79,'01KDVDNYG80EA9K40W0HTMJ6Y3',2,'beta','claimed','{"sentence":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","ranking":[]}',1767225600.2,1767225600.1,1767225600.3,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',NULL,NULL,NULL,'',NULL,'[]',NULL,NULL);
INSERT INTO "attempt" VALUES(80,'01KDVDNZFGA59KNHV55K6ZGH04',1,'beta','ended','{"sentence":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","ranking":[]}',1767225600.2,1767225600.1,1767225600.3,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',1767225600.4,1767225601.0,'node_lost','',NULL,'[]',NULL,'{"wall_s":0.3333333333333333,"cpu_s":1e-9}');
INSERT INTO "attempt" VALUES(81,'01KDVDNZFGA59KNHV55K6ZGH04',2,'beta','running','{"sentence":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","ranking":[]}',1767225600.2,1767225600.1,1767225600.3,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',1767225600.4,NULL,NULL,'',NULL,'[]',NULL,NULL);
INSERT INTO "attempt" VALUES(82,'01KDVDPH201EWXRTRKNCQ4FQ0E',1,'beta','ended','{"sentence":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","ranking":[]}',1767225600.2,1767225600.1,1767225600.3,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',1767225600.4,1767225600.0,'ok','',NULL,'[]',1052,'{"wall_s":0.3333333333333333,"cpu_s":1e-9}');
CREATE TABLE "job" ("id" VARCHAR(26) NOT NULL PRIMARY KEY, "app_version_id" INTEGER NOT NULL, "user_id" INTEGER NOT NULL, "state" VARCHAR(16) NOT NULL, "priority" INTEGER NOT NULL, "input" VARCHAR(500), "parameters" TEXT NOT NULL, "attempts" INTEGER NOT NULL, "cause" VARCHAR(16), "message" TEXT NOT NULL, "cancel_requested" INTEGER NOT NULL, "excluded_nodes" TEXT NOT NULL, "waiting_reason" VARCHAR(500) NOT NULL, "submitted_at" REAL NOT NULL, "finished_at" REAL, FOREIGN KEY ("app_version_id") REFERENCES "app_version" ("id"), FOREIGN KEY ("user_id") REFERENCES "user" ("id"));
INSERT INTO "job" VALUES('01KDP8VW00DHW93DTR98H6BCFN',2,1,'cancelled',0,'inputs/01KDP8VW00DHW93DTR98H6BCFN/measurements-of-the-north-shore.csv','{"threshold":"0.5"}',1,'cancelled','',0,'[]','',1767052800.0,1767052804.3);
INSERT INTO "job" VALUES('01KDRV8K00109W71NVRK6P2FHG',2,1,'failed',0,'inputs/01KDRV8K00109W71NVRK6P2FHG/measurements-of-the-north-shore.csv','{"threshold":"0.5"}',1,'out_of_memory','used 612 MB of the 512 MB it asked for',0,'[]','',1767139200.0,1767139204.3);
INSERT INTO "job" VALUES('01KDV6SJR07XN1WBZBH50MRD1W',2,1,'failed',0,'inputs/01KDV6SJR07XN1WBZBH50MRD1W/measurements-of-the-north-shore.csv','{"threshold":"0.5"}',1,'app_error','exit code 1',0,'[]','',1767218400.0,1767218404.3);
INSERT INTO "job" VALUES('01KDV7Y6M07HS764ERMF1CWVT4',2,1,'succeeded',0,'inputs/01KDV7Y6M07HS764ERMF1CWVT4/measurements-of-the-north-shore.csv','{"threshold":"0.5"}',1,'ok','',0,'[]','',1767219600.0,1767219604.3);
INSERT INTO "job" VALUES('01KDV7YGCGCKT62BKPJTKCXK0V',2,1,'succeeded',0,'inputs/01KDV7YGCGCKT62BKPJTKCXK0V/measurements-of-the-north-shore.csv','{"threshold":"0.5"}',1,'ok','',0,'[]','',1767219610.0,1767219614.3);
INSERT INTO "job" VALUES('01KDV7YT507SS1G1SEHGTVZ69D',2,1,'succeeded',0,'inputs/01KDV7YT507SS1G1SEHGTVZ69D/measurements-of-the-north-shore.csv','{"threshold":"0.5"}',1,'ok','',0,'[]','',1767219620.0,1767219624.3);
INSERT INTO "job" VALUES('01KDV7Z3XGDBXE9C3CWR3M3HX8',2,1,'succeeded',0,'inputs/01KDV7Z3XGDBXE9C3CWR3M3HX8/measurements-of-the-north-shore.csv','{"threshold":"0.5"}',1,'ok','',0,'[]','',1767219630.0,1767219634.3);
INSERT INTO "job" VALUES('01KDV7ZDP09Q06XJEJGSHWN0MD',2,1,'succeeded',0,'inputs/01KDV7ZDP09Q06XJEJGSHWN0MD/measurements-of-the-north-shore.csv','{"threshold":"0.5"}',1,'ok','',0,'[]','',1767219640.0,1767219644.3);
INSERT INTO "job" VALUES('01KDV7ZQEG012W8S3HB71J9JC5',2,1,'succeeded',0,'inputs/01KDV7ZQEG012W8S3HB71J9JC5/measurements-of-the-north-shore.csv','{"threshold":"0.5"}',1,'ok','',0,'[]','',1767219650.0,1767219654.3);
INSERT INTO "job" VALUES('01KDV8017048BQ41755PS246JR',2,1,'succeeded',0,'inputs/01KDV8017048BQ41755PS246JR/measurements-of-the-north-shore.csv','{"threshold":"0.5"}',1,'ok','',0,'[]','',1767219660.0,1767219664.3);
INSERT INTO "job" VALUES('01KDV80AZG3N4CTH3Y6PWBDP7Y',2,1,'succeeded',0,'inputs/01KDV80AZG3N4CTH3Y6PWBDP7Y/measurements-of-the-north-shore.csv','{"threshold":"0.5"}',1,'ok','',0,'[]','',1767219670.0,1767219674.3);
INSERT INTO "job" VALUES('01KDV80MR01MAZ3ZA2MABNBN61',2,1,'succeeded',0,'inputs/01KDV80MR01MAZ3ZA2MABNBN61/measurements-of-the-north-shore.csv','{"threshold":"0.5"}',1,'ok','',0,'[]','',1767219680.0,1767219684.3);
INSERT INTO "job" VALUES('01KDV80YGG0FN52GRHJFKC7WSS',2,1,'succeeded',0,'inputs/01KDV80YGG0FN52GRHJFKC7WSS/measurements-of-the-north-shore.csv','{"threshold":"0.5"}',1,'ok','',0,'[]','',1767219690.0,1767219694.3);
INSERT INTO "job" VALUES('01KDVDC51086CVV4D1PZR3XQ57',2,1,'succeeded',0,'inputs/01KDVDC51086CVV4D1PZR3XQ57/measurements-of-the-north-shore.csv','{"threshold":"0.5"}',1,'ok','',0,'[]','',1767225300.0,1767225304.3);
INSERT INTO "job" VALUES('01KDVDC51086CVV4D1PZR3XQ58',2,1,'succeeded',0,'inputs/01KDVDC51086CVV4D1PZR3XQ58/measurements-of-the-north-shore.csv','{"threshold":"0.5"}',2,NULL,'',0,'[]','',1767224100.0,1767224200.0);
INSERT INTO "job" VALUES('01KDVDM1YR89J225KXHZ7J7JQ8',2,1,'running',0,'inputs/01KDVDM1YR89J225KXHZ7J7JQ8/measurements-of-the-north-shore.csv','{"threshold":"0.5"}',1,NULL,'',0,'[]','',1767225559.0,NULL);
INSERT INTO "job" VALUES('01KDVDN630396RZD965K3G7039',2,1,'placed',0,'inputs/01KDVDN630396RZD965K3G7039/measurements-of-the-north-shore.csv','{"threshold":"0.5"}',1,NULL,'',0,'[]','',1767225596.0,NULL);
INSERT INTO "job" VALUES('01KDVDN630396RZD965K3G703A',2,1,'queued',0,'inputs/01KDVDN630396RZD965K3G703A/measurements-of-the-north-shore.csv','{"threshold":"0.5"}',0,NULL,'',0,'[]','no node has the label gpu and a free slot',1767225535.0,NULL);
INSERT INTO "job" VALUES('01KDVDNA000WQZ686DAXPH8HTV',3,2,'succeeded',0,NULL,'{"text":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","empty":""}',1,'ok','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',0,'[]','',1767225600.1,1767225600.7);
INSERT INTO "job" VALUES('01KDVDNAZ85TQXXE7W9HXJJZ8B',3,2,'failed',0,NULL,'{"text":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","empty":""}',1,'app_error','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',0,'[]','',1767225601.1,1767225601.7);
INSERT INTO "job" VALUES('01KDVDNBYG36A8VV9WJT8YPYFT',3,2,'failed',0,NULL,'{"text":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","empty":""}',1,'timeout','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',0,'[]','',1767225602.1,1767225602.7);
INSERT INTO "job" VALUES('01KDVDNCXR6KN82DAWAFRECGQM',3,2,'failed',0,NULL,'{"text":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","empty":""}',1,'out_of_memory','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',0,'[]','',1767225603.1,1767225603.7);
INSERT INTO "job" VALUES('01KDVDNDX05PNX0DYDZXY283A9',3,2,'failed',0,NULL,'{"text":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","empty":""}',1,'node_lost','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',0,'[]','',1767225604.1,1767225604.7);
INSERT INTO "job" VALUES('01KDVDNEW800SNH64G11N1FEDF',3,2,'failed',0,NULL,'{"text":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","empty":""}',1,'rejected','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',0,'[]','',1767225605.1,1767225605.7);
INSERT INTO "job" VALUES('01KDVDNFVG9Z78MH4YQT4XKFR2',3,2,'cancelled',0,NULL,'{"text":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","empty":""}',1,'cancelled','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',0,'[]','',1767225606.1,1767225606.7);
INSERT INTO "job" VALUES('01KDVDNXH059H9SJDF9V4N8TT3',3,2,'placed',0,NULL,'{"text":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","empty":""}',2,NULL,'',0,'["harbour"]','',1767225620.1,NULL);
INSERT INTO "job" VALUES('01KDVDNYG80EA9K40W0HTMJ6Y3',3,2,'placed',0,NULL,'{"text":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","empty":""}',2,NULL,'',0,'["harbour"]','',1767225621.1,NULL);
INSERT INTO "job" VALUES('01KDVDNZFGA59KNHV55K6ZGH04',3,2,'running',0,NULL,'{"text":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","empty":""}',2,NULL,'',1,'["harbour"]','',1767225622.1,NULL);
INSERT INTO "job" VALUES('01KDVDP79G9B7RSZJWT4PNVDWV',3,2,'queued',-10,NULL,'{"text":"ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space ","empty":""}',0,NULL,'',1,'[]','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ',1767225630.1,NULL);
INSERT INTO "job" VALUES('01KDVDPH201EWXRTRKNCQ4FQ0E',3,2,'succeeded',0,NULL,'{"large":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}',1,'ok','',0,'[]','',1767225640.1,1767225640.7);
CREATE TABLE "leadership" ("id" INTEGER NOT NULL PRIMARY KEY, "epoch" INTEGER NOT NULL, "holder" VARCHAR(100) NOT NULL, "since" REAL NOT NULL);
INSERT INTO "leadership" VALUES(1,0,'',0.0);
CREATE TABLE "log_chunk" ("id" INTEGER NOT NULL PRIMARY KEY, "attempt_id" INTEGER NOT NULL, "first" INTEGER NOT NULL, "count" INTEGER NOT NULL, "at" REAL NOT NULL, "text" LONGTEXT NOT NULL, FOREIGN KEY ("attempt_id") REFERENCES "attempt" ("id") ON DELETE CASCADE);
INSERT INTO "log_chunk" VALUES(1,1,1,1,1767052800.012,'one line');
INSERT INTO "log_chunk" VALUES(2,2,1,1,1767139200.012,'one line');
INSERT INTO "log_chunk" VALUES(3,3,1,7,1767218400.012,'reading measurements.csv
Traceback (most recent call last):
  File "/srv/skerry/apps/cache/4f1c/predict.py", line 41, in <module>
    main()
  File "/srv/skerry/apps/cache/4f1c/predict.py", line 33, in main
    rows = [float(cell) for cell in line]
ValueError: could not convert string to float: ''n/a''');
INSERT INTO "log_chunk" VALUES(4,4,1,1,1767219600.012,'one line');
INSERT INTO "log_chunk" VALUES(5,5,1,1,1767219610.012,'one line');
INSERT INTO "log_chunk" VALUES(6,6,1,1,1767219620.012,'one line');
INSERT INTO "log_chunk" VALUES(7,7,1,1,1767219630.012,'one line');
INSERT INTO "log_chunk" VALUES(8,8,1,1,1767219640.012,'one line');
INSERT INTO "log_chunk" VALUES(9,9,1,1,1767219650.012,'one line');
INSERT INTO "log_chunk" VALUES(10,10,1,1,1767219660.012,'one line');
INSERT INTO "log_chunk" VALUES(11,11,1,1,1767219670.012,'one line');
INSERT INTO "log_chunk" VALUES(12,12,1,1,1767219680.012,'one line');
INSERT INTO "log_chunk" VALUES(13,13,1,1,1767219690.012,'one line');
INSERT INTO "log_chunk" VALUES(64,64,1,60,1767225300.012,'    1/60  digit 7  probability 0.9800
    2/60  digit 4  probability 0.9700
    3/60  digit 1  probability 0.9600
    4/60  digit 8  probability 0.9500
    5/60  digit 5  probability 0.9400
    6/60  digit 2  probability 0.9300
    7/60  digit 9  probability 0.9200
    8/60  digit 6  probability 0.9100
    9/60  digit 3  probability 0.9000
   10/60  digit 0  probability 0.8900
   11/60  digit 7  probability 0.8800
   12/60  digit 4  probability 0.8700
   13/60  digit 1  probability 0.8600
   14/60  digit 8  probability 0.8500
   15/60  digit 5  probability 0.8400
   16/60  digit 2  probability 0.8300
   17/60  digit 9  probability 0.8200
   18/60  digit 6  probability 0.8100
   19/60  digit 3  probability 0.8000
   20/60  digit 0  probability 0.7900
   21/60  digit 7  probability 0.7800
   22/60  digit 4  probability 0.7700
   23/60  digit 1  probability 0.7600
   24/60  digit 8  probability 0.7500
   25/60  digit 5  probability 0.7400
   26/60  digit 2  probability 0.7300
   27/60  digit 9  probability 0.7200
   28/60  digit 6  probability 0.7100
   29/60  digit 3  probability 0.7000
   30/60  digit 0  probability 0.6900
   31/60  digit 7  probability 0.6800
   32/60  digit 4  probability 0.6700
   33/60  digit 1  probability 0.6600
   34/60  digit 8  probability 0.6500
   35/60  digit 5  probability 0.6400
   36/60  digit 2  probability 0.6300
   37/60  digit 9  probability 0.6200
   38/60  digit 6  probability 0.6100
   39/60  digit 3  probability 0.6000
   40/60  digit 0  probability 0.9900
   41/60  digit 7  probability 0.9800
   42/60  digit 4  probability 0.9700
   43/60  digit 1  probability 0.9600
   44/60  digit 8  probability 0.9500
   45/60  digit 5  probability 0.9400
   46/60  digit 2  probability 0.9300
   47/60  digit 9  probability 0.9200
   48/60  digit 6  probability 0.9100
   49/60  digit 3  probability 0.9000
   50/60  digit 0  probability 0.8900
   51/60  digit 7  probability 0.8800
   52/60  digit 4  probability 0.8700
   53/60  digit 1  probability 0.8600
   54/60  digit 8  probability 0.8500
   55/60  digit 5  probability 0.8400
   56/60  digit 2  probability 0.8300
   57/60  digit 9  probability 0.8200
   58/60  digit 6  probability 0.8100
   59/60  digit 3  probability 0.8000
   60/60  digit 0  probability 0.7900');
INSERT INTO "log_chunk" VALUES(65,66,1,2,1767224160.012,'second try
all is well');
INSERT INTO "log_chunk" VALUES(66,67,1,120,1767225559.012,'    1/240  digit 7  probability 0.9800
    2/240  digit 4  probability 0.9700
    3/240  digit 1  probability 0.9600
    4/240  digit 8  probability 0.9500
    5/240  digit 5  probability 0.9400
    6/240  digit 2  probability 0.9300
    7/240  digit 9  probability 0.9200
    8/240  digit 6  probability 0.9100
    9/240  digit 3  probability 0.9000
   10/240  digit 0  probability 0.8900
   11/240  digit 7  probability 0.8800
   12/240  digit 4  probability 0.8700
   13/240  digit 1  probability 0.8600
   14/240  digit 8  probability 0.8500
   15/240  digit 5  probability 0.8400
   16/240  digit 2  probability 0.8300
   17/240  digit 9  probability 0.8200
   18/240  digit 6  probability 0.8100
   19/240  digit 3  probability 0.8000
   20/240  digit 0  probability 0.7900
   21/240  digit 7  probability 0.7800
   22/240  digit 4  probability 0.7700
   23/240  digit 1  probability 0.7600
   24/240  digit 8  probability 0.7500
   25/240  digit 5  probability 0.7400
   26/240  digit 2  probability 0.7300
   27/240  digit 9  probability 0.7200
   28/240  digit 6  probability 0.7100
   29/240  digit 3  probability 0.7000
   30/240  digit 0  probability 0.6900
   31/240  digit 7  probability 0.6800
   32/240  digit 4  probability 0.6700
   33/240  digit 1  probability 0.6600
   34/240  digit 8  probability 0.6500
   35/240  digit 5  probability 0.6400
   36/240  digit 2  probability 0.6300
   37/240  digit 9  probability 0.6200
   38/240  digit 6  probability 0.6100
   39/240  digit 3  probability 0.6000
   40/240  digit 0  probability 0.9900
   41/240  digit 7  probability 0.9800
   42/240  digit 4  probability 0.9700
   43/240  digit 1  probability 0.9600
   44/240  digit 8  probability 0.9500
   45/240  digit 5  probability 0.9400
   46/240  digit 2  probability 0.9300
   47/240  digit 9  probability 0.9200
   48/240  digit 6  probability 0.9100
   49/240  digit 3  probability 0.9000
   50/240  digit 0  probability 0.8900
   51/240  digit 7  probability 0.8800
   52/240  digit 4  probability 0.8700
   53/240  digit 1  probability 0.8600
   54/240  digit 8  probability 0.8500
   55/240  digit 5  probability 0.8400
   56/240  digit 2  probability 0.8300
   57/240  digit 9  probability 0.8200
   58/240  digit 6  probability 0.8100
   59/240  digit 3  probability 0.8000
   60/240  digit 0  probability 0.7900
   61/240  digit 7  probability 0.7800
   62/240  digit 4  probability 0.7700
   63/240  digit 1  probability 0.7600
   64/240  digit 8  probability 0.7500
   65/240  digit 5  probability 0.7400
   66/240  digit 2  probability 0.7300
   67/240  digit 9  probability 0.7200
   68/240  digit 6  probability 0.7100
   69/240  digit 3  probability 0.7000
   70/240  digit 0  probability 0.6900
   71/240  digit 7  probability 0.6800
   72/240  digit 4  probability 0.6700
   73/240  digit 1  probability 0.6600
   74/240  digit 8  probability 0.6500
   75/240  digit 5  probability 0.6400
   76/240  digit 2  probability 0.6300
   77/240  digit 9  probability 0.6200
   78/240  digit 6  probability 0.6100
   79/240  digit 3  probability 0.6000
   80/240  digit 0  probability 0.9900
   81/240  digit 7  probability 0.9800
   82/240  digit 4  probability 0.9700
   83/240  digit 1  probability 0.9600
   84/240  digit 8  probability 0.9500
   85/240  digit 5  probability 0.9400
   86/240  digit 2  probability 0.9300
   87/240  digit 9  probability 0.9200
   88/240  digit 6  probability 0.9100
   89/240  digit 3  probability 0.9000
   90/240  digit 0  probability 0.8900
   91/240  digit 7  probability 0.8800
   92/240  digit 4  probability 0.8700
   93/240  digit 1  probability 0.8600
   94/240  digit 8  probability 0.8500
   95/240  digit 5  probability 0.8400
   96/240  digit 2  probability 0.8300
   97/240  digit 9  probability 0.8200
   98/240  digit 6  probability 0.8100
   99/240  digit 3  probability 0.8000
  100/240  digit 0  probability 0.7900
  101/240  digit 7  probability 0.7800
  102/240  digit 4  probability 0.7700
  103/240  digit 1  probability 0.7600
  104/240  digit 8  probability 0.7500
  105/240  digit 5  probability 0.7400
  106/240  digit 2  probability 0.7300
  107/240  digit 9  probability 0.7200
  108/240  digit 6  probability 0.7100
  109/240  digit 3  probability 0.7000
  110/240  digit 0  probability 0.6900
  111/240  digit 7  probability 0.6800
  112/240  digit 4  probability 0.6700
  113/240  digit 1  probability 0.6600
  114/240  digit 8  probability 0.6500
  115/240  digit 5  probability 0.6400
  116/240  digit 2  probability 0.6300
  117/240  digit 9  probability 0.6200
  118/240  digit 6  probability 0.6100
  119/240  digit 3  probability 0.6000
  120/240  digit 0  probability 0.9900');
INSERT INTO "log_chunk" VALUES(67,67,126,115,1767225559.012,'  126/240  digit 2  probability 0.9300
  127/240  digit 9  probability 0.9200
  128/240  digit 6  probability 0.9100
  129/240  digit 3  probability 0.9000
  130/240  digit 0  probability 0.8900
  131/240  digit 7  probability 0.8800
  132/240  digit 4  probability 0.8700
  133/240  digit 1  probability 0.8600
  134/240  digit 8  probability 0.8500
  135/240  digit 5  probability 0.8400
  136/240  digit 2  probability 0.8300
  137/240  digit 9  probability 0.8200
  138/240  digit 6  probability 0.8100
  139/240  digit 3  probability 0.8000
  140/240  digit 0  probability 0.7900
  141/240  digit 7  probability 0.7800
  142/240  digit 4  probability 0.7700
  143/240  digit 1  probability 0.7600
  144/240  digit 8  probability 0.7500
  145/240  digit 5  probability 0.7400
  146/240  digit 2  probability 0.7300
  147/240  digit 9  probability 0.7200
  148/240  digit 6  probability 0.7100
  149/240  digit 3  probability 0.7000
  150/240  digit 0  probability 0.6900
  151/240  digit 7  probability 0.6800
  152/240  digit 4  probability 0.6700
  153/240  digit 1  probability 0.6600
  154/240  digit 8  probability 0.6500
  155/240  digit 5  probability 0.6400
  156/240  digit 2  probability 0.6300
  157/240  digit 9  probability 0.6200
  158/240  digit 6  probability 0.6100
  159/240  digit 3  probability 0.6000
  160/240  digit 0  probability 0.9900
  161/240  digit 7  probability 0.9800
  162/240  digit 4  probability 0.9700
  163/240  digit 1  probability 0.9600
  164/240  digit 8  probability 0.9500
  165/240  digit 5  probability 0.9400
  166/240  digit 2  probability 0.9300
  167/240  digit 9  probability 0.9200
  168/240  digit 6  probability 0.9100
  169/240  digit 3  probability 0.9000
  170/240  digit 0  probability 0.8900
  171/240  digit 7  probability 0.8800
  172/240  digit 4  probability 0.8700
  173/240  digit 1  probability 0.8600
  174/240  digit 8  probability 0.8500
  175/240  digit 5  probability 0.8400
  176/240  digit 2  probability 0.8300
  177/240  digit 9  probability 0.8200
  178/240  digit 6  probability 0.8100
  179/240  digit 3  probability 0.8000
  180/240  digit 0  probability 0.7900
  181/240  digit 7  probability 0.7800
  182/240  digit 4  probability 0.7700
  183/240  digit 1  probability 0.7600
  184/240  digit 8  probability 0.7500
  185/240  digit 5  probability 0.7400
  186/240  digit 2  probability 0.7300
  187/240  digit 9  probability 0.7200
  188/240  digit 6  probability 0.7100
  189/240  digit 3  probability 0.7000
  190/240  digit 0  probability 0.6900
  191/240  digit 7  probability 0.6800
  192/240  digit 4  probability 0.6700
  193/240  digit 1  probability 0.6600
  194/240  digit 8  probability 0.6500
  195/240  digit 5  probability 0.6400
  196/240  digit 2  probability 0.6300
  197/240  digit 9  probability 0.6200
  198/240  digit 6  probability 0.6100
  199/240  digit 3  probability 0.6000
  200/240  digit 0  probability 0.9900
  201/240  digit 7  probability 0.9800
  202/240  digit 4  probability 0.9700
  203/240  digit 1  probability 0.9600
  204/240  digit 8  probability 0.9500
  205/240  digit 5  probability 0.9400
  206/240  digit 2  probability 0.9300
  207/240  digit 9  probability 0.9200
  208/240  digit 6  probability 0.9100
  209/240  digit 3  probability 0.9000
  210/240  digit 0  probability 0.8900
  211/240  digit 7  probability 0.8800
  212/240  digit 4  probability 0.8700
  213/240  digit 1  probability 0.8600
  214/240  digit 8  probability 0.8500
  215/240  digit 5  probability 0.8400
  216/240  digit 2  probability 0.8300
  217/240  digit 9  probability 0.8200
  218/240  digit 6  probability 0.8100
  219/240  digit 3  probability 0.8000
  220/240  digit 0  probability 0.7900
  221/240  digit 7  probability 0.7800
  222/240  digit 4  probability 0.7700
  223/240  digit 1  probability 0.7600
  224/240  digit 8  probability 0.7500
  225/240  digit 5  probability 0.7400
  226/240  digit 2  probability 0.7300
  227/240  digit 9  probability 0.7200
  228/240  digit 6  probability 0.7100
  229/240  digit 3  probability 0.7000
  230/240  digit 0  probability 0.6900
  231/240  digit 7  probability 0.6800
  232/240  digit 4  probability 0.6700
  233/240  digit 1  probability 0.6600
  234/240  digit 8  probability 0.6500
  235/240  digit 5  probability 0.6400
  236/240  digit 2  probability 0.6300
  237/240  digit 9  probability 0.6200
  238/240  digit 6  probability 0.6100
  239/240  digit 3  probability 0.6000
  240/240  digit 0  probability 0.9900');
INSERT INTO "log_chunk" VALUES(68,69,1,2,1767225600.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
second');
INSERT INTO "log_chunk" VALUES(69,70,1,2,1767225600.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
second');
INSERT INTO "log_chunk" VALUES(70,71,1,2,1767225600.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
second');
INSERT INTO "log_chunk" VALUES(71,72,1,2,1767225600.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
second');
INSERT INTO "log_chunk" VALUES(72,73,1,2,1767225600.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
second');
INSERT INTO "log_chunk" VALUES(73,74,1,2,1767225600.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
second');
INSERT INTO "log_chunk" VALUES(74,75,1,2,1767225600.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
second');
INSERT INTO "log_chunk" VALUES(75,76,1,2,1767225600.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
second');
INSERT INTO "log_chunk" VALUES(76,77,1,2,1767225600.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
second');
INSERT INTO "log_chunk" VALUES(77,78,1,2,1767225600.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
second');
INSERT INTO "log_chunk" VALUES(78,79,1,2,1767225600.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
second');
INSERT INTO "log_chunk" VALUES(79,80,1,2,1767225600.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
second');
INSERT INTO "log_chunk" VALUES(80,81,1,2,1767225600.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
second');
INSERT INTO "log_chunk" VALUES(81,82,1,2,1767225600.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
second');
INSERT INTO "log_chunk" VALUES(82,82,3,50,1767225600.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space 
ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a -- 	tab, trailing space ');
INSERT INTO "log_chunk" VALUES(83,82,53,1000,1767225600.0,'and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on
and on');
CREATE TABLE "node" ("id" INTEGER NOT NULL PRIMARY KEY, "name" VARCHAR(32) NOT NULL, "state" VARCHAR(16) NOT NULL, "state_reason" VARCHAR(500) NOT NULL, "connection" VARCHAR(8) NOT NULL, "address" VARCHAR(255) NOT NULL, "ssh_port" INTEGER NOT NULL, "ssh_user" VARCHAR(64) NOT NULL, "host_key" TEXT NOT NULL, "labels" TEXT NOT NULL, "slots" INTEGER NOT NULL, "arch" VARCHAR(32) NOT NULL, "agent_version" VARCHAR(32) NOT NULL, "metrics" TEXT, "score" TEXT, "last_heartbeat_at" REAL, "consecutive_failures" INTEGER NOT NULL, "registered_by" VARCHAR(64) NOT NULL, "created_at" REAL NOT NULL);
INSERT INTO "node" VALUES(1,'alpha','active','','local','localhost',22,'root','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGsEnq2nH0sXkq3oZ0n1v2m8mP0b9R5c7m0Qq3sD1f2K','["x86","indoors"]',2,'x86_64','0.1.0','{"cpu_count":4,"free_cpu_percent":12.4,"memory_gb":26.451612903225804,"free_memory_gb":8.2,"free_memory_percent":31.0,"free_disk_gb":112.4,"load_1m":1.37,"temperature_c":null,"temperature_warning_c":null,"temperature_critical_c":null,"events_per_second":980.0}','{"value":1.086823529411765,"load":3.647058823529412,"performance":0.29800000000000004,"temperature_factor":1.0,"free_cpu_percent":12.4,"free_memory_percent":31.0,"free_memory_gb":8.2,"events_per_second":980.0,"temperature_c":null,"pending_attempts":0}',1767225598.0,0,'ada',1766966400.0);
INSERT INTO "node" VALUES(2,'beta','active','','ssh','beta.lan.example',22,'root','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGsEnq2nH0sXkq3oZ0n1v2m8mP0b9R5c7m0Qq3sD1f2K','["gpu"]',4,'x86_64','0.1.0','{"cpu_count":4,"free_cpu_percent":91.3,"memory_gb":20.254777070063696,"free_memory_gb":15.9,"free_memory_percent":78.5,"free_disk_gb":112.4,"load_1m":1.37,"temperature_c":null,"temperature_warning_c":null,"temperature_critical_c":null,"events_per_second":1423.0}','{"value":7.506980462056305,"load":21.930997552019583,"performance":0.34230000000000005,"temperature_factor":1.0,"free_cpu_percent":91.3,"free_memory_percent":78.5,"free_memory_gb":15.9,"events_per_second":1423.0,"temperature_c":null,"pending_attempts":0}',1767225598.0,0,'ada',1766966400.0);
INSERT INTO "node" VALUES(3,'gannet-cliff','suspect','no heartbeat for 19 s','ssh','gannet-cliff.lan.example',22,'root','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGsEnq2nH0sXkq3oZ0n1v2m8mP0b9R5c7m0Qq3sD1f2K','[]',1,'x86_64','0.1.0','{"cpu_count":4,"free_cpu_percent":55.0,"memory_gb":48.75,"free_memory_gb":3.9,"free_memory_percent":8.0,"free_disk_gb":112.4,"load_1m":1.37,"temperature_c":81.0,"temperature_warning_c":null,"temperature_critical_c":null,"events_per_second":980.0}','{"value":1.1618227848101268,"load":5.569620253164557,"performance":0.29800000000000004,"temperature_factor":0.7,"free_cpu_percent":55.0,"free_memory_percent":8.0,"free_memory_gb":3.9,"events_per_second":980.0,"temperature_c":81.0,"pending_attempts":0}',1767225581.0,0,'ada',1766966400.0);
INSERT INTO "node" VALUES(4,'attic','registering','','ssh','attic.lan.example',22,'root','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGsEnq2nH0sXkq3oZ0n1v2m8mP0b9R5c7m0Qq3sD1f2K','[]',1,'','',NULL,NULL,NULL,0,'ada',1766966400.0);
INSERT INTO "node" VALUES(5,'harbour','dead','no heartbeat for 45 s; 2 attempts were given to other nodes','ssh','harbour.lan.example',22,'root','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGsEnq2nH0sXkq3oZ0n1v2m8mP0b9R5c7m0Qq3sD1f2K','[]',1,'x86_64','0.1.0','{"cpu_count":4,"free_cpu_percent":70.0,"memory_gb":6.666666666666667,"free_memory_gb":4.0,"free_memory_percent":60.0,"free_disk_gb":112.4,"load_1m":1.37,"temperature_c":null,"temperature_warning_c":null,"temperature_critical_c":null,"events_per_second":980.0}','{"value":5.006400000000001,"load":16.8,"performance":0.29800000000000004,"temperature_factor":1.0,"free_cpu_percent":70.0,"free_memory_percent":60.0,"free_memory_gb":4.0,"events_per_second":980.0,"temperature_c":null,"pending_attempts":0}',1767221900.0,0,'ada',1766966400.0);
INSERT INTO "node" VALUES(6,'islet-draining','draining','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','ssh','192.0.2.9',2222,'ops','','["gpu","ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space "]',3,'','',NULL,NULL,1767225599.875,2,'bob',1767225600.0);
INSERT INTO "node" VALUES(7,'islet-drained','drained','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','ssh','192.0.2.9',2222,'ops','','["gpu","ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space "]',3,'','',NULL,NULL,1767225599.875,2,'bob',1767225600.0);
INSERT INTO "node" VALUES(8,'islet-removed','removed','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','ssh','192.0.2.9',2222,'ops','','["gpu","ünïcödé 🪨, ''single'' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space "]',3,'','',NULL,NULL,1767225599.875,2,'bob',1767225600.0);
CREATE TABLE "play" ("id" INTEGER NOT NULL PRIMARY KEY, "verb" VARCHAR(16) NOT NULL, "node" VARCHAR(32) NOT NULL, "state" VARCHAR(16) NOT NULL, "requested_by" VARCHAR(64) NOT NULL, "created_at" REAL NOT NULL, "started_at" REAL, "finished_at" REAL, "failed_step" VARCHAR(200) NOT NULL, "message" TEXT NOT NULL, "advice" TEXT NOT NULL);
INSERT INTO "play" VALUES(1,'register','beta','succeeded','ada',1767117600.0,1767117600.4,1767117638.0,'','','');
INSERT INTO "play" VALUES(2,'register','gannet-cliff','failed','ada',1767193200.0,1767193200.4,1767193238.0,'Check the room on its disk','There is 0.3 GB free on /, the agent needs 1 GB','Free some room there (journalctl --vacuum-size=100M is a start), then run it again.');
INSERT INTO "play" VALUES(3,'register','attic','running','ada',1767225588.0,1767225588.4,NULL,'','','');
INSERT INTO "play" VALUES(4,'drain','islet-drained','queued','bob',1767225600.0,NULL,NULL,'','','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play" VALUES(5,'drain','islet-drained','succeeded','bob',1767225600.0,1767225601.0,1767225602.5,'','','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play" VALUES(6,'remove','islet-drained','failed','bob',1767225600.0,1767225601.0,1767225602.5,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play" VALUES(7,'remove','islet-drained','running','bob',1767225600.0,1767225601.0,NULL,'','','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
CREATE TABLE "play_event" ("id" INTEGER NOT NULL PRIMARY KEY, "play_id" INTEGER NOT NULL, "number" INTEGER NOT NULL, "at" REAL NOT NULL, "step" VARCHAR(300) NOT NULL, "state" VARCHAR(16) NOT NULL, "detail" TEXT NOT NULL, FOREIGN KEY ("play_id") REFERENCES "play" ("id") ON DELETE CASCADE);
INSERT INTO "play_event" VALUES(1,1,1,1767117602.0,'Reach the machine','ok','');
INSERT INTO "play_event" VALUES(2,1,2,1767117604.0,'Check its Python','ok','');
INSERT INTO "play_event" VALUES(3,1,3,1767117606.0,'Check its clock','changed','');
INSERT INTO "play_event" VALUES(4,1,4,1767117608.0,'Check the room on its disk','ok','');
INSERT INTO "play_event" VALUES(5,1,5,1767117610.0,'Admit its broker user','ok','');
INSERT INTO "play_event" VALUES(6,1,6,1767117612.0,'Install the node agent','changed','');
INSERT INTO "play_event" VALUES(7,1,7,1767117614.0,'Start the node agent','ok','');
INSERT INTO "play_event" VALUES(8,1,8,1767117616.0,'Measure its speed','ok','');
INSERT INTO "play_event" VALUES(9,1,9,1767117618.0,'Wait for its first heartbeat','changed','');
INSERT INTO "play_event" VALUES(10,2,1,1767193202.0,'Reach the machine','ok','');
INSERT INTO "play_event" VALUES(11,2,2,1767193204.0,'Check its Python','ok','');
INSERT INTO "play_event" VALUES(12,2,3,1767193206.0,'Check its clock','changed','');
INSERT INTO "play_event" VALUES(13,2,4,1767193208.0,'Check the room on its disk','failed','fatal: 0.3 GB free');
INSERT INTO "play_event" VALUES(14,3,1,1767225590.0,'Reach the machine','ok','');
INSERT INTO "play_event" VALUES(15,3,2,1767225592.0,'Check its Python','ok','');
INSERT INTO "play_event" VALUES(16,3,3,1767225594.0,'Check its clock','changed','');
INSERT INTO "play_event" VALUES(17,3,4,1767225596.0,'Check the room on its disk','ok','');
INSERT INTO "play_event" VALUES(18,3,5,1767225598.0,'Admit its broker user','running','');
INSERT INTO "play_event" VALUES(19,4,1,1767225601.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','ok','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play_event" VALUES(20,4,2,1767225602.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','changed','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play_event" VALUES(21,4,3,1767225603.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','skipped','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play_event" VALUES(22,4,4,1767225604.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','failed','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play_event" VALUES(23,4,5,1767225605.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','running','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play_event" VALUES(24,5,1,1767225601.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','ok','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play_event" VALUES(25,5,2,1767225602.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','changed','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play_event" VALUES(26,5,3,1767225603.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','skipped','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play_event" VALUES(27,5,4,1767225604.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','failed','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play_event" VALUES(28,5,5,1767225605.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','running','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play_event" VALUES(29,6,1,1767225601.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','ok','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play_event" VALUES(30,6,2,1767225602.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','changed','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play_event" VALUES(31,6,3,1767225603.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','skipped','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play_event" VALUES(32,6,4,1767225604.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','failed','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play_event" VALUES(33,6,5,1767225605.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','running','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play_event" VALUES(34,7,1,1767225601.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','ok','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play_event" VALUES(35,7,2,1767225602.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','changed','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play_event" VALUES(36,7,3,1767225603.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','skipped','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play_event" VALUES(37,7,4,1767225604.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','failed','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
INSERT INTO "play_event" VALUES(38,7,5,1767225605.0,'ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ','running','ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ünïcödé 🪨, ''single'' and "double" quotes, a \backslash, 100 %, a ; and a --
	tab, trailing space ');
CREATE TABLE "schema_version" ("id" INTEGER NOT NULL PRIMARY KEY, "number" INTEGER NOT NULL);
INSERT INTO "schema_version" VALUES(1,1);
CREATE TABLE "session" ("id" INTEGER NOT NULL PRIMARY KEY, "token_hash" VARCHAR(64) NOT NULL, "user_id" INTEGER NOT NULL, "csrf_token" VARCHAR(64) NOT NULL, "created_at" REAL NOT NULL, "expires_at" REAL NOT NULL, FOREIGN KEY ("user_id") REFERENCES "user" ("id") ON DELETE CASCADE);
INSERT INTO "session" VALUES(1,'4d079ffe0d07af969b23f8325bfcb99d05f45ee184bb861aad9e9b5700168f6f',1,'ccccccccccccccccccccccccccccccccccccccccccc',1767225600.0,1767225600.0);
INSERT INTO "session" VALUES(2,'cb67a6fd67836d2f0d938ab654f0ab350cb8f479c892440f7f730acda3321c12',1,'ccccccccccccccccccccccccccccccccccccccccccc',1767225600.0,4102444800.0);
INSERT INTO "session" VALUES(3,'bcf5e013339ecd8f65fde6e846cd628326d810eb5d692f0aa150c2d08706be5a',2,'ccccccccccccccccccccccccccccccccccccccccccc',1767225600.0,1767225600.0);
INSERT INTO "session" VALUES(4,'17a113b48b08f1c0688c7f5b11e64ab41fe2c2fcb16946ae506366d6fdd9e052',2,'ccccccccccccccccccccccccccccccccccccccccccc',1767225600.0,4102444800.0);
CREATE TABLE "sign_in_failure" ("id" INTEGER NOT NULL PRIMARY KEY, "user_name" VARCHAR(64) NOT NULL, "client" VARCHAR(64) NOT NULL, "at" REAL NOT NULL);
INSERT INTO "sign_in_failure" VALUES(1,'eve','192.0.2.7',1767225600.0);
INSERT INTO "sign_in_failure" VALUES(2,'Ada','2001:db8::7',1767225600.25);
CREATE TABLE "user" ("id" INTEGER NOT NULL PRIMARY KEY, "name" VARCHAR(64) NOT NULL, "password_hash" VARCHAR(255) NOT NULL, "is_admin" INTEGER NOT NULL, "created_at" REAL NOT NULL);
INSERT INTO "user" VALUES(1,'ada','$argon2id$v=19$m=19456,t=2,p=1$fm2gL5IX37WfiG2H9eNfRA$DTcFr1SnX3kcmEwraPvGxWkHctbYhYA4mj7QaOVOVAw',1,1.7956107581918723583e+09);
INSERT INTO "user" VALUES(2,'bob','$argon2id$v=19$m=19456,t=2,p=1$sV0kxTiA2uqp7EQ4u13D9Q$SdKoyyCZPRkhmRp6KK5ZNV8nHj/ZAjTtprTMY38x+wg',0,1.79561076510872077941e+09);
CREATE UNIQUE INDEX "user_name" ON "user" ("name");
CREATE UNIQUE INDEX "api_token_token_hash" ON "api_token" ("token_hash");
CREATE INDEX "api_token_user_id" ON "api_token" ("user_id");
CREATE INDEX "api_token_expires_at" ON "api_token" ("expires_at");
CREATE UNIQUE INDEX "app_name" ON "app" ("name");
CREATE INDEX "app_owner_id" ON "app" ("owner_id");
CREATE INDEX "app_version_app_id" ON "app_version" ("app_id");
CREATE UNIQUE INDEX "app_version_app_id_hash" ON "app_version" ("app_id", "hash");
CREATE INDEX "job_app_version_id" ON "job" ("app_version_id");
CREATE INDEX "job_user_id" ON "job" ("user_id");
CREATE INDEX "job_state_priority_id" ON "job" ("state", "priority", "id");
CREATE INDEX "job_user_id_id" ON "job" ("user_id", "id");
CREATE INDEX "attempt_job_id" ON "attempt" ("job_id");
CREATE INDEX "attempt_node" ON "attempt" ("node");
CREATE INDEX "attempt_state" ON "attempt" ("state");
CREATE UNIQUE INDEX "attempt_job_id_number" ON "attempt" ("job_id", "number");
CREATE INDEX "log_chunk_attempt_id" ON "log_chunk" ("attempt_id");
CREATE UNIQUE INDEX "log_chunk_attempt_id_first" ON "log_chunk" ("attempt_id", "first");
CREATE UNIQUE INDEX "node_name" ON "node" ("name");
CREATE INDEX "node_state" ON "node" ("state");
CREATE INDEX "play_node" ON "play" ("node");
CREATE INDEX "play_state" ON "play" ("state");
CREATE INDEX "play_event_play_id" ON "play_event" ("play_id");
CREATE UNIQUE INDEX "play_event_play_id_number" ON "play_event" ("play_id", "number");
CREATE UNIQUE INDEX "session_token_hash" ON "session" ("token_hash");
CREATE INDEX "session_user_id" ON "session" ("user_id");
CREATE INDEX "session_expires_at" ON "session" ("expires_at");
CREATE INDEX "sign_in_failure_user_name" ON "sign_in_failure" ("user_name");
CREATE INDEX "sign_in_failure_client" ON "sign_in_failure" ("client");
CREATE INDEX "sign_in_failure_at" ON "sign_in_failure" ("at");
COMMIT;
