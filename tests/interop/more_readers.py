"""Engines that are tried when they are installed: ClickHouse and Spark."""

import contextlib
import functools
import importlib.util
import os
import shutil

from readers import READERS, Reader


class ClickHouse(Reader):
    def __init__(self, source, **settings):
        self.source = source
        self.settings = "".join(f", {name} = {value}" for name, value in settings.items())

    def ask(self, destination, sql):
        import chdb

        source = self.source.format(destination)
        rows = f"WITH operation_logs AS (SELECT * FROM {source})"
        # Of local files it reads only those below the working directory.
        with contextlib.chdir(destination):
            return chdb.query(f"{rows} {sql} SETTINGS session_timezone = 'UTC'{self.settings}", "ArrowTable")


class Spark(Reader):
    def ask(self, destination, sql):
        files = spark().read.parquet(f"{destination}/operation_logs")
        files.createOrReplaceTempView("operation_logs")
        return spark().sql(sql).toArrow()


@functools.cache
def spark():
    from pyspark.sql import SparkSession

    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    settings = {
        "spark.log.level": "ERROR",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    return SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()


if importlib.util.find_spec("chdb"):
    READERS["ClickHouse, files"] = ClickHouse(
        "file('{}/operation_logs/**/*.parquet', Parquet)", use_hive_partitioning=1
    )
    READERS["ClickHouse, log"] = ClickHouse("deltaLakeLocal('{}/operation_logs')")

if importlib.util.find_spec("pyspark") and shutil.which("java"):
    READERS["Spark, files"] = Spark()
