"""Who paused a lane, and why."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0004_fewer_index_writes"),
    ]

    operations = [
        migrations.AddField(
            model_name="lane",
            name="paused_by",
            field=models.CharField(blank=True, db_default="", max_length=150),
        ),
        migrations.AddField(
            model_name="lane",
            name="paused_reason",
            field=models.CharField(blank=True, db_default="", max_length=500),
        ),
    ]
