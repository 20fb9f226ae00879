"""Which schema.org types are kinds of which: the part of the vocabulary that pages use."""

from __future__ import annotations

_PARENTS = {
    "Product": (
        "IndividualProduct ProductModel ProductGroup SomeProducts ProductCollection Vehicle DietarySupplement Drug"
    ),
    "Vehicle": ("Car Motorcycle BusOrCoach MotorizedBicycle"),
    "Offer": ("AggregateOffer OfferForPurchase OfferForLease Demand"),
    "Article": (
        "NewsArticle BlogPosting TechArticle ScholarlyArticle Report SocialMediaPosting SatiricalArticle "
        "AdvertiserContentArticle LiveBlogPosting OpinionNewsArticle AnalysisNewsArticle "
        "ReportageNewsArticle BackgroundNewsArticle ReviewNewsArticle APIReference DiscussionForumPosting "
        "MedicalScholarlyArticle"
    ),
    "WebPage": (
        "ItemPage AboutPage ContactPage FAQPage CollectionPage ProfilePage QAPage SearchResultsPage "
        "CheckoutPage MedicalWebPage RealEstateListing MediaGallery"
    ),
    "Organization": (
        "Corporation NGO EducationalOrganization CollegeOrUniversity School GovernmentOrganization "
        "NewsMediaOrganization LocalBusiness Airline MedicalOrganization PerformingGroup MusicGroup "
        "SportsOrganization SportsTeam OnlineBusiness OnlineStore ResearchOrganization Consortium "
        "FundingScheme LibrarySystem WorkersUnion PoliticalParty Project Cooperative"
    ),
    "LocalBusiness": (
        "Store Restaurant FoodEstablishment CafeOrCoffeeShop BarOrPub Bakery Hotel LodgingBusiness Resort "
        "ProfessionalService LegalService Attorney FinancialService BankOrCreditUnion InsuranceAgency "
        "AccountingService Dentist Physician Pharmacy MedicalBusiness MedicalClinic Optician "
        "HealthAndBeautyBusiness BeautySalon HairSalon DaySpa AutomotiveBusiness AutoDealer AutoRepair "
        "AutoRental GasStation HomeAndConstructionBusiness Electrician Plumber GeneralContractor Locksmith "
        "MovingCompany RoofingContractor HousePainter RealEstateAgent TravelAgency EntertainmentBusiness "
        "NightClub Library SportsActivityLocation ExerciseGym GolfCourse EmploymentAgency ChildCare "
        "AnimalShelter SelfStorage ShoppingCenter EmergencyService Hospital DryCleaningOrLaundry "
        "InternetCafe RecyclingCenter"
    ),
    "Event": (
        "BusinessEvent ChildrensEvent ComedyEvent CourseInstance DanceEvent EducationEvent ExhibitionEvent "
        "Festival FoodEvent Hackathon LiteraryEvent MusicEvent PublicationEvent SaleEvent ScreeningEvent "
        "SocialEvent SportsEvent TheaterEvent VisualArtsEvent"
    ),
    "Person": ("Patient"),
    "SoftwareApplication": ("MobileApplication WebApplication VideoGame"),
    "Rating": ("AggregateRating EndorsementRating EmployerAggregateRating"),
    "CreativeWork": (
        "Article WebPage Book Movie MusicRecording MusicAlbum Recipe Course HowTo SoftwareApplication "
        "SoftwareSourceCode Dataset VideoObject ImageObject AudioObject Review WebSite Guide"
    ),
}
_PARENT_OF = {name: parent for parent, names in _PARENTS.items() for name in names.split()}


def is_kind_of(name: str, kind: str) -> bool:
    """Return whether type `name` is `kind` or narrower. A name ending in `Store` is a kind of store."""
    seen = set()
    while name and name not in seen:
        if name == kind or kind == "Thing":
            return True
        seen.add(name)
        name = _PARENT_OF.get(name) or ("Store" if name.endswith("Store") else "")
    return False
