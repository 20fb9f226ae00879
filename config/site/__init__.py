"""The admin's frame: navigation, numbers beside it, and the dashboard.

In: the apps' admin classes. Out: one site for staff. Open `admin_site` first.
"""
