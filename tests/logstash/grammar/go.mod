module grammar

go 1.19

require github.com/breml/logstash-config v0.5.3
