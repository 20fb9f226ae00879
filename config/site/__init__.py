"""The admin site: its navigation, and the dashboard as its first page.

In: the apps' admin classes. Out: one site for staff. Open `admin_site` first:

    admin_site    navigation by what people do, with the number of running jobs
    dashboard     the numbers of the first page, each query bounded
"""
